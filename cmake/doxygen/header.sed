# How doxygen reads a public header: the comment at its top is about the file, and members that end with _ are the library's.
1s|^/\* |/** |
0,/\*\//s|\*/| @file */|
/^    .*[a-z]_;/s|.*||
# A declaration right behind another is described with it.
/[;)]$/{
N
s#\n\(YOKE_API\|YOKE_DECLARE\)#\n/** As the one above. */ \1#
P
D
}
