# yoke_warnings(target): the warnings of this project; errors under YOKE_STRICT. Never exported.
function(yoke_warnings target)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes
        -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wvla -Wundef $<$<BOOL:${YOKE_STRICT}>:-Werror>)
endfunction()
