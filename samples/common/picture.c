#include "common/picture.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sample.h"

/* libpng leaves by longjmp, which spoils locals: all that lives across it is in here, on the caller's stack. */
typedef struct transfer {
    const char *path;
    FILE *file;
    png_structp png;
    png_infop info;
    picture picture;
    png_bytep *rows;
    char message[160];
} transfer;

static void on_error(png_structp png, png_const_charp message)
{
    transfer *t = png_get_error_ptr(png);
    snprintf(t->message, sizeof t->message, "%s", message);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png, (void)message; /* the picture can be read all the same */
}

picture picture_new(size_t width, size_t height)
{
    return (picture){width, height, grab(width * height, 3)};
}

static void point_at_rows(transfer *t)
{
    t->rows = grab(t->picture.height, sizeof *t->rows);
    for (size_t j = 0; j < t->picture.height; j++)
        t->rows[j] = t->picture.rgb + j * 3 * t->picture.width;
}

/* Whatever the file holds, rows of 8-bit RGB are to come out. */
static void convert_to_rgb(transfer *t)
{
    png_set_expand(t->png);
    png_set_strip_16(t->png);
    png_set_gray_to_rgb(t->png);
    png_set_strip_alpha(t->png);
    png_set_interlace_handling(t->png);
    png_read_update_info(t->png, t->info);
}

/* 0, or -1 with a message. */
static int read_png(transfer *t)
{
    if (setjmp(png_jmpbuf(t->png)))
        return -1;
    png_init_io(t->png, t->file);
    png_set_sig_bytes(t->png, 8);
    png_set_user_limits(t->png, PICTURE_SIDE, PICTURE_SIDE);
    png_read_info(t->png, t->info);
    const size_t width = png_get_image_width(t->png, t->info), height = png_get_image_height(t->png, t->info);
    if (width * height > PICTURE_PIXELS)
        png_error(t->png, "more pixels than this program takes");
    convert_to_rgb(t);
    if (png_get_rowbytes(t->png, t->info) != 3 * width)
        png_error(t->png, "a kind of picture that is not known");
    t->picture = picture_new(width, height);
    point_at_rows(t);
    png_read_image(t->png, t->rows);
    png_read_end(t->png, NULL);
    return 0;
}

picture picture_read(const char *path)
{
    transfer t = {.path = path, .file = fopen(path, "rb")};
    if (t.file == NULL)
        fail("%s cannot be opened: %s", path, strerror(errno));
    png_byte signature[8];
    if (fread(signature, 1, sizeof signature, t.file) != sizeof signature || png_sig_cmp(signature, 0, 8) != 0)
        fail("%s is not a PNG picture", path);
    t.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &t, on_error, on_warning);
    t.info = t.png != NULL ? png_create_info_struct(t.png) : NULL;
    if (t.info == NULL)
        fail("no memory to read %s", path);
    if (read_png(&t) != 0)
        fail("%s cannot be read: %s", path, t.message);
    png_destroy_read_struct(&t.png, &t.info, NULL);
    free(t.rows);
    fclose(t.file);
    return t.picture;
}

static int write_png(transfer *t)
{
    if (setjmp(png_jmpbuf(t->png)))
        return -1;
    png_init_io(t->png, t->file);
    png_set_IHDR(t->png, t->info, (png_uint_32)t->picture.width, (png_uint_32)t->picture.height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(t->png, 2); /* a quarter of the time, a little more space */
    png_write_info(t->png, t->info);
    png_write_image(t->png, t->rows);
    png_write_end(t->png, NULL);
    return 0;
}

void picture_write(const picture *p, const char *path)
{
    transfer t = {.path = path, .file = fopen(path, "wb"), .picture = *p};
    if (t.file == NULL)
        fail("%s cannot be written: %s", path, strerror(errno));
    t.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &t, on_error, on_warning);
    t.info = t.png != NULL ? png_create_info_struct(t.png) : NULL;
    if (t.info == NULL)
        fail("no memory to write %s", path);
    point_at_rows(&t);
    if (write_png(&t) != 0)
        fail("%s cannot be written: %s", path, t.message);
    png_destroy_write_struct(&t.png, &t.info);
    free(t.rows);
    if (fclose(t.file) != 0)
        fail("%s cannot be written: %s", path, strerror(errno));
}
