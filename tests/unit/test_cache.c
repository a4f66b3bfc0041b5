/* lib/base/cache.c: what was written comes back whole, or not at all, whoever has been at the folder. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/threads.h"

static char root[32];
static char folder[64], entry[256];
static yoke__cache cache;
static const char key[] = "key of an entry";
static unsigned char content[1000];

static int remove_one(const char *path, const struct stat *what, int type, struct FTW *where)
{
    (void)what, (void)type, (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(root, "/tmp/yoke-cache-XXXXXX");
    for (size_t k = 0; k < sizeof content; k++)
        content[k] = (unsigned char)(k * 7);
    if (mkdtemp(root) == NULL)
        return -1;
    (void)snprintf(folder, sizeof folder, "%s/cache", root);
    if (setenv("YOKE_CACHE_DIR", folder, 1) != 0)
        return -1;
    yoke__cache_open(&cache);
    return 0;
}

static void put(void)
{
    yoke__cache_write(&cache, "test", key, sizeof key, content, sizeof content);
}

/* Whether the entry is there; it must be right then. */
static bool is_found(void)
{
    void *read = NULL;
    size_t bytes = 0;
    if (!yoke__cache_read(&cache, "test", key, sizeof key, &read, &bytes))
        return false;
    assert_int_equal(bytes, sizeof content);
    assert_memory_equal(read, content, sizeof content);
    yoke__free(read);
    return true;
}

/* Puts the entry and finds the name of its file. */
static void put_and_look(void)
{
    put();
    assert_true(is_found());
    DIR *listing = opendir(folder);
    unsigned count = 0;
    assert_non_null(listing);
    for (struct dirent *one; (one = readdir(listing)) != NULL;)
        if (one->d_name[0] != '.' || one->d_name[1] == 'n') {
            (void)snprintf(entry, sizeof entry, "%s/%.150s", folder, one->d_name);
            count++;
        }
    closedir(listing);
    assert_int_equal(count, 1);
}

/* Entries, and temporary files that nobody removed. */
static unsigned entries_and_leftovers(void)
{
    DIR *listing = opendir(folder);
    unsigned count = 0;
    assert_non_null(listing);
    for (struct dirent *one; (one = readdir(listing)) != NULL;)
        count += strcmp(one->d_name, ".") != 0 && strcmp(one->d_name, "..") != 0;
    closedir(listing);
    return count;
}

static size_t load(unsigned char *bytes, size_t capacity)
{
    FILE *file = fopen(entry, "rb");
    assert_non_null(file);
    size_t count = fread(bytes, 1, capacity, file);
    fclose(file);
    return count;
}

static void store(const char *path, const unsigned char *bytes, size_t count)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, count), (ssize_t)count);
    close(file);
}

static void entry_written_is_read_back_replaced_and_forgotten(void **state)
{
    (void)state;
    assert_false(is_found());
    put_and_look();
    content[5] ^= 1;
    put();
    assert_true(is_found());
    yoke__cache_write(&cache, "test", "", 0, "", 0);
    void *read;
    size_t bytes = 77;
    assert_true(yoke__cache_read(&cache, "test", "", 0, &read, &bytes));
    assert_int_equal(bytes, 0);
    yoke__free(read);
    assert_false(yoke__cache_read(&cache, "other", key, sizeof key, &read, &bytes));
    assert_false(yoke__cache_read(&cache, "test", key, sizeof key - 1, &read, &bytes));
    yoke__cache_forget(&cache, "test", key, sizeof key);
    assert_false(is_found());
    yoke__cache_forget(&cache, "test", key, sizeof key);
}

static void folder_and_files_are_for_their_owner_alone(void **state)
{
    (void)state;
    struct stat what;
    mode_t before = umask(0);
    put_and_look();
    umask(before);
    assert_int_equal(stat(folder, &what), 0);
    assert_int_equal(what.st_mode & 07777, 0700);
    assert_int_equal(stat(entry, &what), 0);
    assert_int_equal(what.st_mode & 07777, 0600);
    unsigned files = file_count();
    put();
    assert_true(is_found());
    assert_int_equal(file_count(), files);
}

static void kind_that_is_no_word_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "../x", "a/b", "A", "a-b", "abcdefghijklmnop", ".new"};
    void *read;
    size_t bytes;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        yoke__cache_write(&cache, bad[k], key, sizeof key, content, sizeof content);
        assert_false(yoke__cache_read(&cache, bad[k], key, sizeof key, &read, &bytes));
    }
    assert_int_equal(access(folder, F_OK), -1);
}

/* --- poisoned entries --- */

static void entry_truncated_or_lengthened_is_not_found(void **state)
{
    (void)state;
    unsigned char bytes[4096] = {0};
    put_and_look();
    size_t whole = load(bytes, sizeof bytes - 8);
    assert_in_range(whole, sizeof content + sizeof key, 2000);
    for (size_t length = 0; length < whole + 8; length++) {
        store(entry, bytes, length);
        assert_int_equal(is_found(), length == whole);
    }
}

static void entry_with_any_byte_changed_is_not_found(void **state)
{
    (void)state;
    unsigned char bytes[4096];
    uint64_t seed = seed_of("entry_with_any_byte_changed_is_not_found");
    put_and_look();
    size_t whole = load(bytes, sizeof bytes);
    for (size_t k = 0; k < whole; k++) {
        unsigned char flip = (unsigned char)(1 + draw_below(&seed, 255));
        bytes[k] ^= flip;
        store(entry, bytes, whole);
        assert_false(is_found());
        bytes[k] ^= flip;
    }
    store(entry, bytes, whole);
    assert_true(is_found());
}

static void entry_of_another_key_under_this_name_is_not_found(void **state)
{
    (void)state;
    unsigned char bytes[4096];
    char name[256];
    static const char other[sizeof key] = "kez of an entry";
    put_and_look();
    strcpy(name, entry);
    assert_int_equal(unlink(name), 0);
    yoke__cache_write(&cache, "test", other, sizeof other, content, sizeof content);
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    for (struct dirent *one; (one = readdir(listing)) != NULL;)
        if (strncmp(one->d_name, "test-", 5) == 0)
            (void)snprintf(entry, sizeof entry, "%s/%.150s", folder, one->d_name);
    closedir(listing);
    assert_string_not_equal(name, entry);
    store(name, bytes, load(bytes, sizeof bytes));
    assert_false(is_found());
}

static void entry_that_is_no_file_of_ours_is_not_found(void **state)
{
    (void)state;
    char aside[300];
    put_and_look();
    (void)snprintf(aside, sizeof aside, "%s/aside", root);
    assert_int_equal(chmod(entry, 0620), 0);
    assert_false(is_found());
    assert_int_equal(chmod(entry, 0602), 0);
    assert_false(is_found());
    assert_int_equal(chmod(entry, 0600), 0);
    assert_true(is_found());
    if (geteuid() == 0) {
        assert_int_equal(chown(entry, 12345, 12345), 0);
        assert_false(is_found());
        assert_int_equal(chown(entry, 0, 0), 0);
        assert_true(is_found());
    }
    assert_int_equal(rename(entry, aside), 0);
    assert_int_equal(symlink(aside, entry), 0);
    assert_false(is_found());
    put(); /* takes the link's place, and leaves what it pointed to */
    assert_true(is_found());
    assert_int_equal(unlink(entry), 0);
    assert_int_equal(mkfifo(entry, 0600), 0);
    assert_false(is_found()); /* and does not wait for a writer */
    assert_int_equal(unlink(entry), 0);
    assert_int_equal(mkdir(entry, 0700), 0);
    assert_false(is_found());
    put();
    assert_false(is_found());
    assert_int_equal(entries_and_leftovers(), 1); /* no temporary file is left */
}

/* --- poisoned folders --- */

static void folder_that_others_can_write_is_not_used(void **state)
{
    (void)state;
    put_and_look();
    static const mode_t modes[] = {0777, 0720, 0702, 01777};
    for (size_t k = 0; k < sizeof modes / sizeof *modes; k++) {
        assert_int_equal(chmod(folder, modes[k]), 0);
        assert_false(is_found());
        put();
    }
    assert_int_equal(chmod(folder, 0755), 0);
    assert_true(is_found());
    if (geteuid() == 0) {
        assert_int_equal(chown(folder, 12345, 12345), 0);
        assert_false(is_found());
        assert_int_equal(chown(folder, 0, 0), 0);
    }
    char aside[100], link[300];
    (void)snprintf(aside, sizeof aside, "%s/aside", root);
    assert_int_equal(rename(folder, aside), 0);
    assert_int_equal(symlink(aside, folder), 0);
    assert_false(is_found());
    (void)snprintf(link, sizeof link, "%s/", folder); /* with which open() would follow the link */
    assert_int_equal(setenv("YOKE_CACHE_DIR", link, 1), 0);
    yoke__cache_open(&cache);
    assert_false(is_found());
    assert_int_equal(unlink(folder), 0);
    store(folder, content, sizeof content);
    put();
    assert_false(is_found());
}

static void use(const char *variable, const char *value)
{
    assert_int_equal(unsetenv("YOKE_CACHE_DIR"), 0);
    assert_int_equal(unsetenv("XDG_CACHE_HOME"), 0);
    assert_int_equal(setenv("HOME", root, 1), 0);
    assert_int_equal(setenv(variable, value, 1), 0);
    yoke__cache_open(&cache);
}

static void folder_that_is_not_absolute_or_off_means_none(void **state)
{
    (void)state;
    char path[200];
    static const char *const bad[] = {"off",     "cache", "./cache", "../cache", "%s/../cache", "%s/..",
                                      "%s/./x/", "%s/.",  "/",       "//",       "%s/a/../../b"};
    assert_int_equal(chdir(root), 0);
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        (void)snprintf(path, sizeof path, bad[k], root);
        use("YOKE_CACHE_DIR", path);
        assert_string_equal(cache.folder, "");
        put();
        assert_false(is_found());
    }
    assert_int_equal(entries_of(root), 0);
    assert_int_equal(chdir("/"), 0);
    char *very_long = malloc(5000);
    assert_non_null(very_long);
    memset(very_long, 'a', 4999);
    very_long[0] = '/';
    very_long[4999] = '\0';
    use("YOKE_CACHE_DIR", very_long);
    assert_string_equal(cache.folder, "");
    free(very_long);
    yoke__cache zeroed = {0};
    cache = zeroed;
    put();
    assert_false(is_found());
}

static void folder_follows_the_environment(void **state)
{
    (void)state;
    char home[64], path[100];
    strcpy(home, root);
    (void)snprintf(path, sizeof path, "%s/.cache/yoke", home);
    use("HOME", home);
    assert_string_equal(cache.folder, path);
    put();
    assert_true(is_found());
    (void)snprintf(path, sizeof path, "%s/..hidden", home);
    use("XDG_CACHE_HOME", path);
    strcat(path, "/yoke");
    assert_string_equal(cache.folder, path);
    put();
    assert_true(is_found());
    (void)snprintf(path, sizeof path, "%s/own//", home);
    use("YOKE_CACHE_DIR", path);
    put();
    assert_true(is_found());
    (void)snprintf(path, sizeof path, "%s/missing/missing/missing", home);
    use("YOKE_CACHE_DIR", path);
    put();
    assert_false(is_found());
}

/* --- load --- */

static void in_child(void (*act)(void))
{
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        act();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void write_within_a_limit(void)
{
    const struct rlimit limit = {500, 500};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        _exit(2);
    put();
    _exit(is_found() ? 3 : 0);
}

static void limit_on_the_size_of_files_ends_nothing(void **state)
{
    (void)state;
    in_child(write_within_a_limit);
    assert_false(is_found());
    put();
    assert_true(is_found());
    assert_int_equal(entries_and_leftovers(), 1);
}

static void no_memory_means_not_found(void **state)
{
    (void)state;
    put_and_look();
    yoke__alloc_fail_at(1, true);
    assert_false(is_found());
    put();
    yoke__alloc_fail_at(0, false);
    assert_true(is_found());
}

static void two_processes_that_write_at_once_leave_a_whole_entry(void **state)
{
    (void)state;
    pid_t child[2];
    alarm_in(100);
    for (int c = 0; c < 2; c++) {
        fflush(stdout);
        child[c] = fork();
        assert_true(child[c] >= 0);
        if (child[c] == 0) {
            alarm(60);
            for (int k = 0; k < 300; k++) {
                void *read;
                size_t bytes;
                memset(content, 'a' + (k + c) % 26, sizeof content);
                put();
                if (!yoke__cache_read(&cache, "test", key, sizeof key, &read, &bytes))
                    _exit(1);
                const unsigned char *text = read;
                for (size_t b = 0; b < bytes; b++)
                    if (text[b] != text[0])
                        _exit(2);
                yoke__free(read);
            }
            _exit(0);
        }
    }
    for (int c = 0; c < 2; c++) {
        int status;
        assert_int_equal(waitpid(child[c], &status, 0), child[c]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(entries_and_leftovers(), 1);
    alarm_off();
}

static void folder_is_bounded_and_the_newest_entries_stay(void **state)
{
    (void)state;
    enum { LIMIT = 4096 };
    char path[200];
    const struct timespec old[2] = {{1000, 0}, {1000, 0}};
    put();
    for (unsigned k = 0; k < LIMIT; k++) {
        (void)snprintf(path, sizeof path, "%s/test-%u", folder, k);
        store(path, content, 1);
        assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    }
    (void)snprintf(path, sizeof path, "%s/other-1", folder);
    store(path, content, 1);
    put(); /* 4097 of the kind: one too many */
    assert_true(is_found());
    assert_int_equal(access(path, F_OK), 0);
    assert_in_range(entries_of(folder), LIMIT / 2, LIMIT);
    (void)snprintf(path, sizeof path, "%s/.new-1-2-3", folder);
    store(path, content, 1);
    put();
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    put();
    assert_int_equal(access(path, F_OK), -1); /* what a dead writer left */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(entry_written_is_read_back_replaced_and_forgotten),
        TEST(folder_and_files_are_for_their_owner_alone),
        TEST(kind_that_is_no_word_is_refused),
        TEST(entry_truncated_or_lengthened_is_not_found),
        TEST(entry_with_any_byte_changed_is_not_found),
        TEST(entry_of_another_key_under_this_name_is_not_found),
        TEST(entry_that_is_no_file_of_ours_is_not_found),
        TEST(folder_that_others_can_write_is_not_used),
        TEST(folder_that_is_not_absolute_or_off_means_none),
        TEST(folder_follows_the_environment),
        TEST(limit_on_the_size_of_files_ends_nothing),
        TEST(no_memory_means_not_found),
        TEST(two_processes_that_write_at_once_leave_a_whole_entry),
        TEST(folder_is_bounded_and_the_newest_entries_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
