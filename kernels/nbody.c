/* Gravity between all pairs of bodies. */
#include "yoke/kernels.h"

/* clang-format off */
YOKE_LANE_KERNEL(yoke_nbody,
                 (out(float, ax), out(float, ay), out(float, az), whole(float, x, n), whole(float, y, n),
                  whole(float, z, n), whole(float, m, n), value(float, softening)),
                 {
    YOKE_LANES(float, px);
    YOKE_LANES(float, py);
    YOKE_LANES(float, pz);
    YOKE_LANES(float, sx);
    YOKE_LANES(float, sy);
    YOKE_LANES(float, sz);
    YOKE_LANES(float, d);
    YOKE_LANES(float, r);
    YOKE_EACH {
        px[l] = x[i];
        py[l] = y[i];
        pz[l] = z[i];
        sx[l] = 0.0f;
        sy[l] = 0.0f;
        sz[l] = 0.0f;
    }
    /* With an estimate r of 1 / sqrt(d), e = 1 - d r^2 is its error, and d^(-3/2) = r^3 (1 - e)^(-3/2), which is
     * r^3 (1 + 3/2 e) to within a float's rounding: fewer operations than a square root and a division. */
    for (size_t k = 0; k < n; k++) {
        const float qx = x[k], qy = y[k], qz = z[k], mass = m[k];
        YOKE_EACH {
            const float dx = qx - px[l], dy = qy - py[l], dz = qz - pz[l];
            d[l] = softening + dx * dx + dy * dy + dz * dz;
        }
        YOKE_RSQRT_ESTIMATE(r, d);
        YOKE_EACH {
            const float dx = qx - px[l], dy = qy - py[l], dz = qz - pz[l];
            const float rr = r[l] * r[l];
            const float pull = mass * r[l] * rr;
            const float exact = pull + pull * ((1.0f - d[l] * rr) * 1.5f);
            sx[l] += exact * dx;
            sy[l] += exact * dy;
            sz[l] += exact * dz;
        }
    }
    YOKE_EACH {
        ax[i] = sx[l];
        ay[i] = sy[l];
        az[i] = sz[l];
    }
})
/* clang-format on */
