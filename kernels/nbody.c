/* Gravity between all pairs of bodies. */
#include "yoke/kernels.h"

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
    YOKE_EACH {
        px[l] = x[i];
        py[l] = y[i];
        pz[l] = z[i];
        sx[l] = 0.0f;
        sy[l] = 0.0f;
        sz[l] = 0.0f;
    }
    for (size_t k = 0; k < n; k++) {
        YOKE_EACH {
            const float dx = x[k] - px[l], dy = y[k] - py[l], dz = z[k] - pz[l];
            const float inverse = rsqrtf(softening + dx * dx + dy * dy + dz * dz);
            const float pull = m[k] * inverse * (inverse * inverse);
            sx[l] += pull * dx;
            sy[l] += pull * dy;
            sz[l] += pull * dz;
        }
    }
    YOKE_EACH {
        ax[i] = sx[l];
        ay[i] = sy[l];
        az[i] = sz[l];
    }
})
