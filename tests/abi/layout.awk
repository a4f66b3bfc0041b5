# Reads public headers and writes a C program that prints their structures (sizes, and where their members are) and the
# values of their enumerators. It knows the headers' own style: a declaration ends with ';', no bit-fields.
BEGIN {
    print "#include <stddef.h>\n#include <stdio.h>"
}

FNR == 1 {
    header = FILENAME
    sub(/^.*include\//, "", header)
    print "#include <" header ">"
    depth = 0
}

function code_of(line)
{
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
    if (in_comment) {
        if (!sub(/^.*\*\//, "", line))
            return ""
        in_comment = 0
    }
    gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
    if (sub(/\/\*.*$/, "", line))
        in_comment = 1
    sub(/\/\/.*$/, "", line)
    return line
}

# "unsigned a, *b[2]" or "int (*f)(void *)": the names declared
function members(text,    n, part, k, name)
{
    if (match(text, /\( *\*+ *[a-z_0-9]+ *\)/)) {
        name = substr(text, RSTART, RLENGTH)
        gsub(/[^a-z_0-9]/, "", name)
        out = out sprintf("    MEMBER(%s, %s)\n", type, name)
        return
    }
    gsub(/(YOKE__ATOMIC)\([^()]*\)/, "t ", text)
    gsub(/\[[^]]*\]/, "", text)
    n = split(text, part, ",")
    for (k = 1; k <= n; k++) {
        name = part[k]
        sub(/[ \t]+$/, "", name)
        sub(/^.*[^A-Za-z_0-9]/, "", name)
        if (name != "")
            out = out sprintf("    MEMBER(%s, %s)\n", type, name)
    }
}

function constants(text,    n, part, k)
{
    n = split(text, part, ",")
    for (k = 1; k <= n; k++) {
        gsub(/=.*$|[ \t]/, "", part[k])
        if (part[k] ~ /^YOKE_[A-Z0-9_]+$/)
            out = out sprintf("    CONSTANT(%s)\n", part[k])
    }
}

/^[ \t]*#/ || continued {
    continued = /\\$/
    next
}

{
    code = code_of($0)
    if (!depth && match(code, /^(typedef )?(struct|union) [a-z_]+ \{/)) {
        type = substr(code, 1, RLENGTH - 2)
        sub(/^typedef /, "", type)
        out = out sprintf("    STRUCTURE(%s)\n", type)
        depth = 1
        kind = "structure"
        code = substr(code, RLENGTH + 1)
        text = ""
    } else if (!depth && match(code, /^(typedef )?enum [a-z_ ]*\{/)) {
        depth = 1
        kind = "enumeration"
        code = substr(code, RLENGTH + 1)
        text = ""
    }
    if (!depth)
        next
    text = text " " code
    if (code ~ /\}/)
        depth = 0
    if (kind == "enumeration") {
        if (!depth) {
            sub(/\}.*$/, "", text)
            constants(text)
        }
        next
    }
    if (!depth)
        sub(/\}.*$/, "", text)
    while ((at = index(text, ";")) > 0) {
        members(substr(text, 1, at - 1))
        text = substr(text, at + 1)
    }
}

END {
    print "#define STRUCTURE(T) printf(\"%s %zu bytes\\n\", #T, sizeof(T));"
    print "#define MEMBER(T, m) printf(\"%s.%s at %zu, %zu bytes\\n\", #T, #m, offsetof(T, m), sizeof(((T *)0)->m));"
    print "#define CONSTANT(c) printf(\"%s %lld\\n\", #c, (long long)(c));"
    print "#define STATUS(name, number, text) CONSTANT(YOKE_##name)"
    print "int main(void)\n{\n    YOKE_STATUS_MAP(STATUS)"
    printf "%s", out
    print "    return 0;\n}"
}
