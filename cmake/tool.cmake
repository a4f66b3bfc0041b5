# The command `yoke`: a consumer like any other, of the public headers and the shared library. Its objects are also linked
# to its tests.
file(GLOB yoke_tool_sources CONFIGURE_DEPENDS tools/yoke/*.c)
list(FILTER yoke_tool_sources EXCLUDE REGEX "/main.c$")
# The page of `yoke trace` becomes part of the program.
set(timeline ${PROJECT_SOURCE_DIR}/tools/yoke/timeline.html)
add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/timeline.c
    COMMAND ${CMAKE_COMMAND} -DINPUT=${timeline} -DOUTPUT=${PROJECT_BINARY_DIR}/timeline.c
            -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${timeline} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
add_library(yoke_tool_objects OBJECT ${yoke_tool_sources} ${PROJECT_BINARY_DIR}/timeline.c)
add_executable(yoke_tool tools/yoke/main.c $<TARGET_OBJECTS:yoke_tool_objects>)
foreach(target yoke_tool_objects yoke_tool)
    yoke_warnings(${target})
    yoke_usage(${target})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE=)
endforeach()
target_link_libraries(yoke_tool PRIVATE yoke ${CMAKE_DL_LIBS})
set_target_properties(yoke_tool PROPERTIES OUTPUT_NAME yoke RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tools)
# It finds its library wherever the tree is moved to.
file(RELATIVE_PATH yoke_tool_up ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
set_target_properties(yoke_tool PROPERTIES INSTALL_RPATH "$ORIGIN/${yoke_tool_up}")
install(TARGETS yoke_tool DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
install(FILES tools/yoke/share/yoke.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tools)
install(FILES tools/yoke/share/yoke.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME yoke
    COMPONENT tools)
