# The library: its objects are compiled once and become a shared and a static library. Hidden symbols of the static one
# can be linked, so that tests reach what users cannot. (_GNU_SOURCE is empty, so that a file may define it again.)
file(GLOB yoke_sources CONFIGURE_DEPENDS lib/*/*.c kernels/*.c)
list(FILTER yoke_sources EXCLUDE REGEX "/lib/(loop|mpi)/") # libraries of their own: cmake/loop.cmake, cmake/mpi.cmake
# OpenCL is opened at run time; only its headers are needed here. Without them devices are left out.
find_path(OPENCL_INCLUDE_DIR CL/cl.h)
set(YOKE_HAS_OPENCL $<BOOL:${OPENCL_INCLUDE_DIR}>)
if(NOT OPENCL_INCLUDE_DIR)
    message(STATUS "OpenCL devices: left out, for there is no CL/cl.h (Debian: opencl-c-headers)")
    list(FILTER yoke_sources EXCLUDE REGEX "lib/opencl/")
    list(APPEND yoke_sources lib/opencl/source.c lib/opencl/prelude.c)
endif()

# What a program that uses the headers needs. No language standard, no -O and no -f: the headers see to themselves.
function(yoke_usage target)
    target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${target} PUBLIC m)
endfunction()

add_library(yoke_objects OBJECT ${yoke_sources})
yoke_warnings(yoke_objects)
yoke_usage(yoke_objects)
target_include_directories(yoke_objects PRIVATE ${PROJECT_SOURCE_DIR})
target_include_directories(yoke_objects SYSTEM PRIVATE $<${YOKE_HAS_OPENCL}:${OPENCL_INCLUDE_DIR}>)
target_compile_definitions(yoke_objects PRIVATE _GNU_SOURCE= YOKE_HAS_OPENCL=${YOKE_HAS_OPENCL}
    YOKE_LIBEXEC_DIR="${CMAKE_INSTALL_FULL_LIBEXECDIR}/yoke")
target_link_libraries(yoke_objects PRIVATE PkgConfig::hwloc Threads::Threads ${CMAKE_DL_LIBS})
set_target_properties(yoke_objects PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)

add_library(yoke SHARED)
add_library(yoke_static STATIC)
set_target_properties(yoke PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${yoke_soversion})
set_target_properties(yoke_static PROPERTIES OUTPUT_NAME yoke)
# Its threads and thread-local destructors must not outlive its code.
target_link_options(yoke PRIVATE -Wl,-z,nodelete $<$<NOT:$<BOOL:${YOKE_SANITIZED}>>:-Wl,--no-undefined>)
# Symbols get a version; which of them are exported at all, YOKE_API in the sources says.
set(yoke_versions ${PROJECT_SOURCE_DIR}/cmake/abi/versions.map)
target_link_options(yoke PRIVATE -Wl,--version-script=${yoke_versions})
set_target_properties(yoke PROPERTIES LINK_DEPENDS ${yoke_versions})
# The linker's bounds of the section of helper texts are each library's own.
include(CheckLinkerFlag)
check_linker_flag(C -Wl,-z,start-stop-visibility=hidden YOKE_HIDES_SECTION_BOUNDS)
if(YOKE_HIDES_SECTION_BOUNDS)
    target_link_options(yoke PRIVATE -Wl,-z,start-stop-visibility=hidden)
endif()
foreach(target yoke yoke_static)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:yoke_objects>)
    target_link_libraries(${target} PRIVATE PkgConfig::hwloc Threads::Threads ${CMAKE_DL_LIBS})
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C)
    yoke_usage(${target})
    add_library(yoke::${target} ALIAS ${target})
endforeach()

# For tests: internal headers and internal functions.
add_library(yoke_internal INTERFACE)
target_link_libraries(yoke_internal INTERFACE yoke_static)
target_include_directories(yoke_internal INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(yoke_internal INTERFACE _GNU_SOURCE=)

# Topologies from outside are read by a process of their own, for a malformed one may crash its reader.
add_executable(yoke-topology tools/topology_helper.c)
yoke_warnings(yoke-topology)
target_link_libraries(yoke-topology PRIVATE yoke_internal PkgConfig::hwloc)
install(TARGETS yoke-topology DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/yoke COMPONENT runtime)

# Components are what packages are made of (package.cmake): runtime, loop, dev.
install(TARGETS yoke yoke_static EXPORT yoke-targets ARCHIVE COMPONENT dev
    LIBRARY COMPONENT runtime NAMELINK_COMPONENT dev)
install(DIRECTORY include/yoke DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN "*.h"
    PATTERN "loop.h" EXCLUDE PATTERN "mpi.h" EXCLUDE)
set(yoke_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/yoke)
install(EXPORT yoke-targets NAMESPACE yoke:: DESTINATION ${yoke_cmake_dir} COMPONENT dev)
configure_package_config_file(cmake/yokeConfig.cmake.in yokeConfig.cmake INSTALL_DESTINATION ${yoke_cmake_dir})
write_basic_package_version_file(yokeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/yokeConfig.cmake ${PROJECT_BINARY_DIR}/yokeConfigVersion.cmake
        DESTINATION ${yoke_cmake_dir} COMPONENT dev)

# Paths in the .pc file are relative to it: the tree may move.
file(RELATIVE_PATH pc_up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_up ${pc_up})
list(JOIN hwloc_LDFLAGS " " hwloc_flags)
configure_file(cmake/yoke.pc.in yoke.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/yoke.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
