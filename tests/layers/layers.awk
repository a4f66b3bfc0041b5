# The layers of lib/ as data, and a reader of sources that reports what crosses them. Called by check.sh.
BEGIN {
    allow("base", "")
    allow("trace", "base")
    allow("topology", "base")
    allow("schedule", "base")
    allow("memory", "base topology")
    allow("cpu", "base trace topology")
    allow("backend", "base topology")
    allow("opencl", "base trace topology memory backend")
    allow("future", "base trace")
    allow("executor", "base trace topology cpu future")
    allow("parallel", "base trace topology schedule memory cpu future backend")
    allow("loop", "base future")
    allow("mpi", "base")
    home("hwloc", "^lib/topology/|^tests/(topology|tool)/|^tools/topology_")
    home("CL", "^lib/opencl/|^tests/(opencl|fault|bench|gpu)/")
    home("uv", "^lib/loop/|^tests/loop/")
    home("mpi", "^lib/mpi/|^tests/(mpi|bench)/|^include/yoke/mpi\\.h$")
    home("png", "^samples/")
    upper = "^(parallel|yoke|kernels|executor|loop|mpi)\\.h$"  # public headers of the rooms on top
    backends = "lib/parallel/backends.c"                       # the one list of backends
    fences = "^lib/cpu/stream\\.c$"                            # the one place of fences: they order non-temporal stores
}

function allow(room, below,    i, n, part)
{
    known[room] = 1
    n = split(below, part, " ")
    for (i = 1; i <= n; i++)
        may[room, part[i]] = 1
}

function home(header, pattern) { homes[header] = pattern }

function report(text) { print FILENAME ":" FNR ": " text }

# lib/<room>/...: the room; "" elsewhere
function room_of(path,    part)
{
    return split(path, part, "/") >= 3 && part[1] == "lib" ? part[2] : ""
}

function check_foreign(header,    stem)
{
    stem = header
    sub(/[\/.].*$/, "", stem)
    if (stem in homes && FILENAME !~ homes[stem])
        report("<" header "> is included outside its home (" homes[stem] ")")
}

function check_room(header,    to)
{
    to = room_of(header)
    if (room == "") {
        if (FILENAME ~ /^tools\/yoke\//)
            report("\"" header "\": the tool is a consumer: the public headers must do")
        else if (FILENAME !~ /^(tests|tools)\//)
            report("\"" header "\": only lib/, tests/ and tools/ see the inside of the library")
        return
    }
    if (to == room)
        return
    if (header != "lib/" to "/" to ".h")
        report("\"" header "\": another room is entered through its door, lib/" to "/" to ".h")
    if (!((room, to) in may) && !(FILENAME == backends && to == "opencl"))
        report("lib/" room " may not use lib/" to)
}

function check_include(line,    header)
{
    header = line
    sub(/^[ \t]*#[ \t]*include[ \t]*[<"]/, "", header)
    sub(/[>"].*$/, "", header)
    if (line ~ /</ && line !~ /"/)
        check_foreign(header)
    else if (header ~ /^\.\.?\// || header ~ /\/\.\.\//)
        report("\"" header "\": write the path from the root")
    else if (header ~ /^lib\//)
        check_room(header)
    else if (room != "" && header ~ /\// && header !~ /^yoke\//)
        report("\"" header "\": lib/ includes only lib/ and yoke/")
    else
        check_foreign(header)
    if (room ~ /^(base|trace|topology|schedule|memory|cpu|backend|opencl|future)$/ && header ~ /^yoke\// &&
        substr(header, 6) ~ upper)
        report("\"" header "\" belongs to a layer above lib/" room)
    if (tolower(header) ~ /opencl/ && room != "opencl" && FILENAME != backends && FILENAME !~ /^tests\//)
        report("\"" header "\": only " backends " names OpenCL outside lib/opencl")
}

# The line without comments and string contents.
function code_of(line,    out, start, rest)
{
    out = ""
    gsub(/\\./, "", line)
    gsub(/'"'/, "' '", line)
    while (line != "") {
        if (in_comment) {
            start = index(line, "*/")
            if (!start)
                return out
            line = substr(line, start + 2)
            in_comment = 0
        } else if (match(line, /"|\/\*|\/\//)) {
            out = out substr(line, 1, RSTART - 1)
            rest = substr(line, RSTART)
            if (rest ~ /^\/\//)
                return out
            if (rest ~ /^"/) {
                sub(/^"[^"]*"?/, "", rest)
                out = out "\"\""
            } else {
                in_comment = 1
                rest = substr(rest, 3)
            }
            line = rest
        } else
            return out line
    }
    return out
}

# The thread sanitizer does not understand them: a race that a fence forbids would be reported, and one beside it missed.
# Read-modify-writes and ordered loads and stores do the same.
function check_fence(code, line)
{
    if (FILENAME !~ /^(lib|include|kernels)\// || FILENAME ~ fences)
        return
    if (code ~ /(^|[^a-zA-Z0-9_])(__c11_|__)?atomic_thread_fence[ \t]*\(|__sync_synchronize|_mm_[lms]fence|__dmb[ \t]*\(/ ||
        (code ~ /(asm|__asm__)/ && line ~ /"[^"]*([lms]fence|d[ms]b )/))
        report("a fence: the thread sanitizer does not understand it; order the access itself")
}

function check_code(code)
{
    if (code ~ /^[ \t]*#[ \t]*if[ \t]+0([^0-9a-zA-Z]|$)/)
        report("#if 0: delete the code, git keeps it")
    if (room == "" && FILENAME !~ /^kernels\//)
        return
    if (FILENAME != "lib/executor/serve.c" && # a worker process, which is the library's own
        code ~ /(^|[^a-zA-Z0-9_])(abort|exit|_exit|_Exit|quick_exit)[ \t]*\(/)
        report("the library never ends the process")
    if (FILENAME != "lib/trace/tell.c" && # where the environment asks for it
        (code ~ /(^|[^a-zA-Z0-9_])(printf|vprintf|puts|putchar|perror|psignal)[ \t]*\(/ ||
         code ~ /(^|[^a-zA-Z0-9_])(stdout|stderr)([^a-zA-Z0-9_]|$)/))
        report("the library prints nothing by itself")
}

function end_of_file()
{
    if (last_file != "" && lines > 500)
        print last_file ": " lines " lines; 500 are the most"
}

FNR == 1 {
    end_of_file()
    last_file = FILENAME
    in_comment = 0
    body = 0
    room = room_of(FILENAME)
    if (room != "" && !(room in known))
        report("lib/" room " is no room that the layers know")
}

{
    lines = FNR
    was_in_comment = in_comment
    code = code_of($0)
    if (!was_in_comment && $0 ~ /^[ \t]*#[ \t]*include[ \t]*[<"]/)
        check_include($0)
    check_code(code)
    check_fence(code, $0)
    if ($0 ~ /^\{/)
        body = FNR
    if ($0 ~ /^\}/ && body && FILENAME !~ /^tests\//) {
        if (FNR - body - 1 > 60)
            report("a function of " FNR - body - 1 " lines; 60 are the most")
        body = 0
    }
}

END { end_of_file() }
