# The component yoke::loop. Left out where there is no libuv.
pkg_check_modules(libuv IMPORTED_TARGET libuv>=1.38)
if(NOT libuv_FOUND)
    message(STATUS "The event loop yoke::loop: left out, for there is no libuv (Debian: libuv1-dev)")
    return()
endif()
list(JOIN libuv_LDFLAGS " " libuv_flags)
yoke_component(loop INSIDE PkgConfig::libuv)
