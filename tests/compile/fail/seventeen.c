/* More parameters than a kernel may have. */
#include "yoke/yoke.h"

YOKE_KERNEL(doomed,
            (out(int, y), value(int, a), value(int, b), value(int, c), value(int, d), value(int, e), value(int, f),
             value(int, g), value(int, h), value(int, k), value(int, l), value(int, m), value(int, o), value(int, p),
             value(int, q), value(int, r), value(int, s)),
            { y[i] = a; })
