/* What was measured is known to the next runtime, and to the next program; and files that are not good are not believed. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/fault/devices_support.h"

static char folder[] = "/tmp/yoke-learned-XXXXXX";

/* Calls f for each file whose name begins so; returns how many there are. */
static unsigned each_named(const char *start, void (*f)(const char *path))
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[sizeof folder + sizeof entry->d_name];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || strncmp(entry->d_name, start, strlen(start)) != 0)
            continue;
        count++;
        if (f != NULL)
            f(path);
    }
    closedir(dir);
    return count;
}

/* Those of what was measured. */
static unsigned each_file(void (*f)(const char *path))
{
    return each_named("model", f);
}

static void remove_file(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

static void flip_a_bit(const char *path)
{
    unsigned char byte;
    const int file = open(path, O_RDWR | O_CLOEXEC);
    assert_true(file >= 0);
    const off_t middle = lseek(file, 0, SEEK_END) / 2;
    assert_int_equal(pread(file, &byte, 1, middle), 1);
    byte ^= 4;
    assert_int_equal(pwrite(file, &byte, 1, middle), 1);
    close(file);
}

static void cut(const char *path)
{
    struct stat found;
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(truncate(path, found.st_size - 7), 0);
}

static void replace_by_link(const char *path)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
}

/* What the first call of a runtime knows of the device. */
static double known_at_first(void)
{
    yoke_runtime *r = runtime_on("gpu:0");
    assert_int_equal(scale(r, NULL, 50000), YOKE_OK);
    const double known = last_decision().device_ns;
    close_runtime(r);
    return known;
}

static int set_up(void **state)
{
    int failed = open_three(state);
    return failed | (mkdtemp(folder) == NULL) | setenv("YOKE_CACHE_DIR", folder, 1);
}

static int tear_down(void **state)
{
    (void)state;
    (void)each_named("", remove_file);
    return rmdir(folder);
}

static void next_runtime_knows(void **state)
{
    (void)state;
    (void)each_file(remove_file);
    assert_true(known_at_first() <= 0);
    assert_int_equal(each_file(NULL), 1);
    const double known = known_at_first();
    assert_true(known > 0 && known < 1e9);
}

static void another_machine_begins_anew(void **state)
{
    (void)state;
    (void)known_at_first();
    shape("VERSION=OpenCL 1.2 fakecl other"); /* the driver's version stays: the same file */
    assert_true(known_at_first() > 0);
    yoke_runtime *r = yoke_open(&(yoke_runtime_options){.devices = "gpu:0", .workers = 1}); /* other workers */
    assert_non_null(r);
    assert_int_equal(scale(r, NULL, 50000), YOKE_OK);
    assert_true(last_decision().device_ns <= 0);
    close_runtime(r);
}

static void damaged_files_are_ignored(void **state)
{
    (void)state;
    void (*const damages[])(const char *) = {flip_a_bit, cut, replace_by_link};
    for (size_t k = 0; k < sizeof damages / sizeof *damages; k++) {
        (void)each_file(remove_file);
        (void)known_at_first();
        assert_int_equal(each_file(damages[k]), 1);
        assert_true(known_at_first() <= 0);
        assert_true(known_at_first() > 0); /* written anew */
    }
}

static void end_of_the_program_writes_too(void **state)
{
    (void)state;
    if (SANITIZED_THREADS) { /* which lets a forked child start no threads */
        print_message("SKIP: TSan\n");
        skip();
    }
    (void)each_file(remove_file);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {                       /* a program of its own: nothing was opened here yet */
        static yoke_runtime *volatile left; /* open, as default runtimes are */
        left = runtime_on("gpu:0");
        const int status = scale(left, NULL, 50000);
        exit(status == YOKE_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(each_file(NULL), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(end_of_the_program_writes_too), /* first: drivers do not survive a fork */
        TEST(next_runtime_knows),
        TEST(another_machine_begins_anew),
        TEST(damaged_files_are_ignored),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
