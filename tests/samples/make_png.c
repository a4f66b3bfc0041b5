/* Writes small PNG files of every kind, good and bad, into a folder, without libpng: all white, 8 x 8 pixels, stored and
 * not compressed. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGBA = 6, SIDE = 8 };

typedef struct kind {
    const char *name;
    uint32_t width, height; /* as the header says */
    uint8_t depth, colour, interlaced;
    const char *damage; /* what is wrong with the file, or "" */
} kind;

static const kind kinds[] = {
    {"rgb8", SIDE, SIDE, 8, RGB, 0, ""},
    {"rgb16", SIDE, SIDE, 16, RGB, 0, ""},
    {"grey1", SIDE, SIDE, 1, GREY, 0, ""},
    {"grey4", SIDE, SIDE, 4, GREY, 0, ""},
    {"grey16", SIDE, SIDE, 16, GREY, 0, ""},
    {"palette1", SIDE, SIDE, 1, PALETTE, 0, ""},
    {"palette8", SIDE, SIDE, 8, PALETTE, 0, ""},
    {"grey_alpha8", SIDE, SIDE, 8, GREY_ALPHA, 0, ""},
    {"rgba16", SIDE, SIDE, 16, RGBA, 0, ""},
    {"interlaced", SIDE, SIDE, 8, RGB, 1, ""},
    {"no_pixels", 0, 0, 8, RGB, 0, "header"},
    {"gigantic", 0x7fffffff, 0x7fffffff, 8, RGB, 0, "header"},
    {"too_many", 65535, 65535, 8, RGB, 0, "header"},
    {"negative", 0xffffffff, 8, 8, RGB, 0, "header"},
    {"depth3", SIDE, SIDE, 3, RGB, 0, "header"},
    {"too_short", SIDE, 1000, 8, RGB, 0, "data ends early"},
    {"wrong_sum", SIDE, SIDE, 8, RGB, 0, "checksum"},
    {"no_palette", SIDE, SIDE, 8, PALETTE, 0, "palette"},
    {"cut", SIDE, SIDE, 8, RGB, 0, "cut"},
    {"signature_only", SIDE, SIDE, 8, RGB, 0, "signature"},
};

static uint32_t crc_of(uint32_t crc, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return crc;
}

static void put_u32(FILE *file, uint32_t x)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        fputc((int)(x >> shift & 255), file);
}

static void put_chunk(FILE *file, const char *type, const uint8_t *bytes, size_t count, bool wrong)
{
    uint32_t crc = crc_of(crc_of(0xffffffffu, (const uint8_t *)type, 4), bytes, count);
    put_u32(file, (uint32_t)count);
    fwrite(type, 1, 4, file);
    fwrite(bytes, 1, count, file);
    put_u32(file, wrong ? crc : ~crc);
}

static size_t channels_of(uint8_t colour)
{
    return colour == RGB ? 3 : colour == RGBA ? 4 : colour == GREY_ALPHA ? 2 : 1;
}

/* Rows of all ones, each behind its filter byte 0. */
static size_t fill_rows(uint8_t *to, const kind *k, size_t width, size_t height)
{
    const size_t row = (width * k->depth * channels_of(k->colour) + 7) / 8;
    for (size_t j = 0; j < height && row > 0; j++) {
        to[j * (row + 1)] = 0;
        memset(to + j * (row + 1) + 1, 0xff, row);
    }
    return row > 0 ? height * (row + 1) : 0;
}

/* Pixels of the seven passes of an 8 x 8 picture. */
static size_t fill(uint8_t *to, const kind *k)
{
    static const uint8_t passes[7][2] = {{1, 1}, {1, 1}, {2, 1}, {2, 2}, {4, 2}, {4, 4}, {8, 4}};
    if (!k->interlaced)
        return fill_rows(to, k, SIDE, SIDE);
    size_t used = 0;
    for (int p = 0; p < 7; p++)
        used += fill_rows(to + used, k, passes[p][0], passes[p][1]);
    return used;
}

/* The pixels as a zlib stream of one stored block. */
static void put_pixels(FILE *file, const kind *k)
{
    uint8_t stream[2048] = {0x78, 0x01, 0x01};
    const size_t count = fill(stream + 7, k);
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < count; i++) {
        a = (a + stream[7 + i]) % 65521;
        b = (b + a) % 65521;
    }
    stream[3] = (uint8_t)(count & 255), stream[4] = (uint8_t)(count >> 8);
    stream[5] = (uint8_t)~stream[3], stream[6] = (uint8_t)~stream[4];
    uint8_t *end = stream + 7 + count;
    end[0] = (uint8_t)(b >> 8), end[1] = (uint8_t)b, end[2] = (uint8_t)(a >> 8), end[3] = (uint8_t)a;
    put_chunk(file, "IDAT", stream, count + 11, strcmp(k->damage, "checksum") == 0);
}

static void put_header(FILE *file, const kind *k)
{
    uint8_t header[13] = {0};
    for (int i = 0; i < 4; i++) {
        header[i] = (uint8_t)(k->width >> (24 - 8 * i));
        header[4 + i] = (uint8_t)(k->height >> (24 - 8 * i));
    }
    header[8] = k->depth;
    header[9] = k->colour;
    header[12] = k->interlaced;
    put_chunk(file, "IHDR", header, sizeof header, false);
}

static int write_kind(const char *folder, const kind *k)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.png", folder, k->name);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return -1;
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, file);
    if (strcmp(k->damage, "signature") == 0)
        return fclose(file);
    put_header(file, k);
    uint8_t palette[768];
    memset(palette, 0xff, sizeof palette);
    if (k->colour == PALETTE && strcmp(k->damage, "palette") != 0)
        put_chunk(file, "PLTE", palette, (size_t)3 << k->depth, false);
    if (strcmp(k->damage, "cut") == 0) {
        put_u32(file, 500); /* of a chunk that never comes */
        fwrite("IDAT\x78\x01", 1, 6, file);
        return fclose(file);
    }
    put_pixels(file, k);
    put_chunk(file, "IEND", palette, 0, false);
    return fclose(file);
}

int main(int argc, char **argv)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (argc != 2 || write_kind(argv[1], &kinds[k]) != 0) {
            fprintf(stderr, "usage: make_png FOLDER (that can be written)\n");
            return 1;
        }
    return 0;
}
