// A stranger's first program in C++.
#include <cmath>
#include <iostream>
#include <vector>

#include <yoke/yoke.h>

YOKE_KERNEL(square, (out(float, y), in(float, x)), { y[i] = x[i] * x[i]; })

int main()
{
    std::vector<float> x{1, 2, 3, 4, 5}, y(x.size());
    if (parallel_map(square, x.size(), y.data(), x.data()) != YOKE_OK) {
        std::cerr << yoke_error_detail() << '\n';
        return 1;
    }
    for (std::size_t k = 0; k < x.size(); k++) {
        std::cout << x[k] << " -> " << y[k] << '\n';
        if (std::abs(y[k] - x[k] * x[k]) > 0.0f)
            return 1;
    }
    return 0;
}
