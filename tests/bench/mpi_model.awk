# Predicts the efficiency of the samples over MPI at 2 to 4,096 ranks. Reads "name value" lines of bench_loggp (L, o, g in
# ns, G in ns per byte, costs on one core), prints a table, and draws it into the file `picture` (SVG).
# What it assumes is written in docs/clusters.md.
{ term[$1] = $2 }

function log2_up(p,    k) { for (k = 0; 2 ^ k < p; k++); return k }
function max(a, b) { return a > b ? a : b }

# A collective of a few words is a tree: up and down in one.
function collective(p) { return log2_up(p) * (L + 2 * o) }

# 10^12 darts; blocks of a reduction are at most 1,024, and none is divided.
function monte_carlo(p,    block, blocks, all, each)
{
    for (block = 4096; 1e12 / block >= 1024; block *= 2);
    blocks = int(1e12 / block) + 1
    all = 1e12 * term["dart_ns"] / CORES
    each = int((blocks + p - 1) / p)
    return all / blocks * each + (p > 1) * (5 * collective(p) + (p < blocks ? p : blocks) * g + blocks * 8 * G)
}

# 32768 x 26214 pixels of 4 bytes to the root; 32 pieces a rank from one counter; 100 times the rounds that were measured.
function mandelbrot(p,    all, pieces, work, link)
{
    all = 32768 * 26214 * term["mandelbrot_ns"] * 100 / CORES
    if (p == 1)
        return all
    pieces = 32 * p
    work = all / p + 32 * 3 * (2 * L + 4 * o) + all / pieces
    link = pieces * 3 * g + 32768 * 26214 * 4 * G
    return max(work, link) + 5 * collective(p)
}

# One step; memory feeds as many cores as BANDWIDTH_CORES. Ranks agree, and then rims travel, while the inner rows
# are computed.
function heat(p, width, rows,    row, cell, comm)
{
    cell = term["heat_ns"] / BANDWIDTH_CORES
    row = width * cell
    comm = (p > 1) * (L + 4 * o + 2 * g + width * 4 * G)
    return p > 1 ? max((rows - 2) * row, collective(p) + comm) + 2 * row : rows * row
}

function efficiency(which, p)
{
    if (which == 1)
        return monte_carlo(1) / monte_carlo(p) / p
    if (which == 2)
        return mandelbrot(1) / mandelbrot(p) / p
    if (which == 3)
        return heat(1, 65536, 65536) / heat(p, 65536, 65536 / p) / p
    return heat(1, 16384, 16384) / heat(p, 16384, 16384)
}

function use(set)
{
    L = set ? 1500 : term["L"]; o = set ? 500 : term["o"]; g = set ? 300 : term["g"]; G = set ? 0.1 : term["G"]
}

function x_of(p) { return 70 + 45 * log(p) / log(2) }
function y_of(e) { return 330 - 280 * e }

function draw(    which, set, p, k, points)
{
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"400\" font-family=\"sans-serif\" font-size=\"12\">" >picture
    print "<rect width=\"760\" height=\"400\" fill=\"white\"/>" >picture
    for (k = 0; k <= 4; k++)
        printf "<line x1=\"70\" x2=\"610\" y1=\"%d\" y2=\"%d\" stroke=\"#ddd\"/><text x=\"60\" y=\"%d\" text-anchor=\"end\">%d %%</text>\n", y_of(k / 4), y_of(k / 4), y_of(k / 4) + 4, 25 * k >picture
    for (p = 1; p <= 4096; p *= 2)
        printf "<text x=\"%d\" y=\"350\" text-anchor=\"middle\">%d</text>\n", x_of(p), p >picture
    print "<text x=\"340\" y=\"375\" text-anchor=\"middle\">ranks</text><text x=\"70\" y=\"25\">predicted efficiency; solid: terms measured in one machine, dashed: assumed network</text>" >picture
    for (which = 1; which <= 4; which++) {
        for (set = 0; set <= 1; set++) {
            use(set)
            points = ""
            for (p = 1; p <= 4096; p *= 2)
                points = points sprintf("%.1f,%.1f ", x_of(p), y_of(efficiency(which, p)))
            printf "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s points=\"%s\"/>\n", colour[which], set ? " stroke-dasharray=\"6 4\"" : "", points >picture
        }
        printf "<text x=\"625\" y=\"%d\" fill=\"%s\">%s</text>\n", 60 + 20 * which, colour[which], name[which] >picture
    }
    print "</svg>" >picture
}

END {
    CORES = 32; BANDWIDTH_CORES = 8
    split("monte_carlo,mandelbrot,heat (strong),heat (weak)", name, ",")
    split("#1b6ca8,#c0392b,#27774a,#8e5ea2", colour, ",")
    for (set = 0; set <= 1; set++) {
        use(set)
        printf "\n%s: L %d ns, o %d ns, g %d ns, G %.3f ns/byte\n%6s", set ? "assumed network" : "measured", L, o, g, G, "ranks"
        for (which = 1; which <= 4; which++)
            printf " %14s", name[which]
        print ""
        for (p = 2; p <= 4096; p *= 2) {
            printf "%6d", p
            for (which = 1; which <= 4; which++)
                printf " %13.1f%%", 100 * efficiency(which, p)
            print ""
        }
    }
    if (picture != "")
        draw()
}
