# Takes the C blocks of Markdown files apart: FOLDER/N.c for each, and a line "N FILE:LINE KIND ARGUMENT" on standard output.
# An HTML comment on the line before a block says what is not usual about it (see CMakeLists.txt).
BEGIN { count = 0 }

FNR == 1 { comment = ""; inside = 0; program = 0 }

function kind_of(comment)
{
    if (comment ~ /^<!-- not compiled: .+ -->$/)
        return "left_out"
    if (comment ~ /^<!-- context: [a-z_]+ -->$/)
        return "fragment"
    if (comment ~ /^<!-- not run: .+ -->$/)
        return "not_run"
    if (comment ~ /^<!-- (not compiled|context|not run|prints)/ && comment != "<!-- prints -->")
        return "bad_comment"
    return ""
}

function begin_block()
{
    inside = 1
    kind = kind_of(comment)
    name = ++count
    where = FILENAME ":" FNR
    argument = "file_scope"
    if (kind == "fragment") {
        argument = comment
        gsub(/^<!-- context: | -->$/, "", argument)
    }
    file = folder "/" name ".c"
    printf "#line %d \"%s\"\n", FNR + 1, FILENAME >file
    main_seen = 0
}

function end_block()
{
    inside = 0
    close(file)
    if (kind == "" || kind == "not_run") {
        if (!main_seen)
            kind = "fragment"
        else if (kind == "")
            kind = "program"
    }
    print name, where, kind, argument
    program = main_seen ? name : 0
    comment = ""
}

inside == 1 && /^```/ { end_block(); next }
inside == 1 {
    print >file
    if (/^int main\(/)
        main_seen = 1
    next
}
inside == 2 && /^```/ { inside = 0; close(expected); comment = ""; next }
inside == 2 { print >expected; next }
inside == 3 { if (/^```/) { inside = 0; comment = "" }; next }
/^```c$/ { begin_block(); next }
/^```/ {
    inside = 3
    if (comment == "<!-- prints -->") {
        if (!program)
            print 0, FILENAME ":" FNR, "bad_comment", "-"
        else {
            inside = 2
            expected = folder "/" program ".expected"
            printf "" >expected
        }
    }
    next
}
/[^ \t]/ { comment = $0 }
