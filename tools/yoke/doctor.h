/* The checks of yoke doctor, each on its own. */
#ifndef YOKE_TOOL_DOCTOR_H
#define YOKE_TOOL_DOCTOR_H

#include "tools/yoke/tool.h"

typedef enum verdict { WELL, NOTE, SLOW } verdict;

/* What is looked at. */
typedef struct patient {
    const char *root; /* in front of /proc, /sys and /etc; "" is this machine */
    survey *found;
    const char *launcher; /* that started this process, by its variables; "" */
    bool has_loader;      /* of OpenCL */
} patient;

typedef struct diagnosis {
    verdict verdict;
    char text[512], remedy[256];
} diagnosis;

typedef struct doctor_check {
    const char *name;
    void (*run)(const patient *p, diagnosis *d);
} doctor_check;

extern const doctor_check doctor_checks[]; /* ends with a name of NULL */

const char *doctor_launcher(const char *(*variable)(const char *name));

#endif
