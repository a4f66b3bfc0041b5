/* Prints what each scenario comes to: simulator_table. */
#include <stdio.h>

#include "tests/simulator/world.h"

enum { LIVES = 15 };

int main(void)
{
    trial sum = {0};
    printf("%-30s %6s %8s %6s %6s %9s %8s\n", "ideal time / simulated time", "cold", "learned", "worst", "later",
           "x single", "divided");
    for (unsigned k = 0; k < scenario_count; k++) {
        const trial t = try_scenario(&scenarios[k], LIVES);
        printf("%-30s %6.3f %8.3f %6.3f %6.3f %9.3f %7.0f%%\n", scenarios[k].name, t.cold, t.learned, t.worst, t.later,
               t.against_single, 100 * t.divided);
        sum.cold += t.cold, sum.learned += t.learned, sum.later += t.later;
    }
    const double n = scenario_count;
    printf("%-30s %6.3f %8.3f %6s %6.3f\n", "mean", sum.cold / n, sum.learned / n, "", sum.later / n);
    return 0;
}
