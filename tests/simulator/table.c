/* Prints what each scenario comes to: simulator_table. */
#include <stdio.h>

#include "tests/simulator/world.h"

int main(void)
{
    trial sum = {0};
    printf("%-30s %7s %8s %7s %9s %8s\n", "ideal time / simulated time", "cold", "learned", "worst", "x single",
           "divided");
    for (unsigned k = 0; k < scenario_count; k++) {
        const trial t = try_scenario(&scenarios[k]);
        printf("%-30s %7.3f %8.3f %7.3f %9.3f %7.0f%%\n", scenarios[k].name, t.cold, t.learned, t.worst,
               t.against_single, 100 * t.divided);
        sum.cold += t.cold, sum.learned += t.learned;
    }
    printf("%-30s %7.3f %8.3f\n", "mean", sum.cold / scenario_count, sum.learned / scenario_count);
    return 0;
}
