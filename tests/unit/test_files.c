/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "mta/attachment.h"
#include "mta/files.h"
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A path in the scratch folder: valid until the fourth call after this one. */
static const char *at(const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", scratch, name);
    return path;
}

static void put(const char *name, const char *text)
{
    struct error err;
    ck_assert_msg(file_create(at(name), text, &err) == 0, "%s", err.text);
}

static void has(const char *path, const char *text)
{
    struct error err;
    char *got = file_read(path, &err);
    ck_assert_msg(got != NULL, "%s", err.text);
    ck_assert_str_eq(got, text);
    free(got);
}

/* In the scratch folder. */
static int count_files(void)
{
    int count = 0;
    DIR *folder = opendir(scratch);
    for (const struct dirent *file; (file = readdir(folder)) != NULL;)
        count += file->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void plan(struct file_changes *changes, const char *name, const char *text)
{
    struct error err;
    ck_assert_msg(file_changes_add(changes, at(name), text, &err) == 0, "%s", err.text);
}

START_TEST(a_file_and_its_copy_keep_owner_and_mode)
{
    struct file_changes changes = {.count = 0};
    struct error err;
    struct stat before, after;
    put("a", "old\n");
    ck_assert_int_eq(chmod(at("a"), 0640), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(at("a"), 12, 34), 0);
    stat(at("a"), &before);
    plan(&changes, "a", "new\n");
    plan(&changes, "b", "made\n");
    ck_assert_msg(file_changes_apply(&changes, &err) == 0, "%s", err.text);
    has(at("a"), "new\n");
    has(at("b"), "made\n");
    has(changes.files[0].copy, "old\n");
    ck_assert_ptr_null(changes.files[1].copy);
    for (int i = 0; i < 2; i++) {
        stat(i == 0 ? at("a") : changes.files[0].copy, &after);
        ck_assert_uint_eq(after.st_mode, before.st_mode);
        ck_assert_uint_eq(after.st_uid, before.st_uid);
        ck_assert_uint_eq(after.st_gid, before.st_gid);
    }
    ck_assert_int_eq(file_changes_take_back(&changes, &err), 0);
    has(at("a"), "old\n");
    ck_assert_int_eq(access(at("b"), F_OK), -1);
    ck_assert_int_eq(access(changes.files[0].copy, F_OK), -1);
    file_changes_free(&changes);
}
END_TEST

START_TEST(what_has_the_text_already_is_no_change)
{
    struct file_changes changes = {.count = 0};
    put("a", "same\n");
    plan(&changes, "a", "same\n");
    plan(&changes, "none", NULL);
    ck_assert_uint_eq(changes.count, 0);
    file_changes_free(&changes);
}
END_TEST

START_TEST(a_link_in_the_path_is_followed_when_it_is_planned)
{
    struct file_changes changes = {.count = 0};
    struct error err;
    put("real", "old\n");
    ck_assert_int_eq(symlink(at("real"), at("link")), 0);
    plan(&changes, "link", "new\n");
    ck_assert_msg(file_changes_apply(&changes, &err) == 0, "%s", err.text);
    has(at("real"), "new\n");
    file_changes_free(&changes);
}
END_TEST

START_TEST(a_link_that_is_put_there_later_is_not_followed)
{
    struct file_changes changes = {.count = 0};
    struct error err;
    put("a", "old\n");
    put("b", "old\n");
    put("victim", "old\n");
    plan(&changes, "b", "new\n");
    plan(&changes, "a", "new\n");
    ck_assert_int_eq(unlink(at("a")), 0);
    ck_assert_int_eq(symlink("victim", at("a")), 0);
    ck_assert_int_eq(file_changes_apply(&changes, &err), -1);
    has(at("victim"), "old\n");
    has(at("b"), "old\n"); /* taken back */
    file_changes_free(&changes);
}
END_TEST

START_TEST(what_another_has_changed_since_it_was_planned_stays)
{
    struct file_changes changes = {.count = 0};
    struct error err;
    put("a", "old\n");
    plan(&changes, "a", "new\n");
    ck_assert_int_eq(unlink(at("a")), 0);
    put("a", "another's\n");
    ck_assert_int_eq(file_changes_apply(&changes, &err), -1);
    ck_assert_int_eq(err.status, EX_TEMPFAIL);
    has(at("a"), "another's\n");
    ck_assert_int_eq(count_files(), 1);
    file_changes_free(&changes);
}
END_TEST

START_TEST(a_folder_that_is_exchanged_for_a_link_is_not_left)
{
    struct file_changes changes = {.count = 0};
    struct error err;
    ck_assert_int_eq(mkdir(at("folder"), 0755), 0);
    ck_assert_int_eq(mkdir(at("other"), 0755), 0);
    put("folder/a", "old\n");
    put("other/a", "old\n");
    plan(&changes, "folder/a", "new\n");
    ck_assert_int_eq(rename(at("folder"), at("moved")), 0);
    ck_assert_int_eq(symlink("other", at("folder")), 0);
    ck_assert_msg(file_changes_apply(&changes, &err) == 0, "%s", err.text);
    has(at("other/a"), "old\n");
    has(at("moved/a"), "new\n");
    file_changes_free(&changes);
}
END_TEST

/* The linker gives fsync this name (--wrap). */
int __wrap_fsync(int fd);
int __real_fsync(int fd);

static bool disk_fails;

int __wrap_fsync(int fd)
{
    errno = EIO;
    return disk_fails ? -1 : __real_fsync(fd);
}

START_TEST(what_is_not_on_the_disk_is_not_in_place)
{
    struct file_changes changes = {.count = 0};
    struct error err;
    put("a", "old\n");
    plan(&changes, "b", "made\n");
    plan(&changes, "a", "new\n");
    disk_fails = true;
    ck_assert_int_eq(file_changes_apply(&changes, &err), -1);
    disk_fails = false;
    ck_assert_int_eq(err.status, EX_IOERR);
    has(at("a"), "old\n");
    ck_assert_int_eq(access(at("b"), F_OK), -1);
    ck_assert_int_eq(count_files(), 1);
    file_changes_free(&changes);
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused_at_once)
{
    struct file_changes changes = {.count = 0};
    struct error err;
    ck_assert_int_eq(mkfifo(at("fifo"), 0600), 0);
    ck_assert_ptr_null(file_read(at("fifo"), &err));
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_int_eq(file_changes_add(&changes, at("fifo"), "x", &err), -1);
    ck_assert_int_eq(file_changes_add(&changes, scratch, "x", &err), -1);
    file_changes_free(&changes);
}
END_TEST

START_TEST(an_existing_file_is_not_written_over)
{
    struct error err;
    put("victim", "old\n");
    ck_assert_int_eq(symlink("victim", at("link")), 0);
    ck_assert_int_eq(symlink("nowhere", at("dangling")), 0);
    ck_assert_int_eq(file_create(at("victim"), "new\n", &err), -1);
    ck_assert_int_eq(file_create(at("link"), "new\n", &err), -1);
    ck_assert_int_eq(file_create(at("dangling"), "new\n", &err), -1);
    has(at("victim"), "old\n");
    ck_assert_int_eq(access(at("nowhere"), F_OK), -1);
}
END_TEST

START_TEST(the_diff_shows_new_changed_and_removed_files)
{
    struct file_changes changes = {.count = 0};
    struct error err;
    char text[4 * PATH_MAX];
    put("a", "one\ntwo\n");
    put("c", "gone\n");
    plan(&changes, "a", "one\nthree\n");
    plan(&changes, "b", "made\n");
    plan(&changes, "c", NULL);
    char *diff = file_changes_diff(&changes, &err);
    ck_assert_msg(diff != NULL, "%s", err.text);
    snprintf(text, sizeof text,
             "--- %s\n+++ %s\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n"
             "--- /dev/null\n+++ %s\n@@ -0,0 +1 @@\n+made\n"
             "--- %s\n+++ %s\n@@ -1 +0,0 @@\n-gone\n",
             changes.files[0].path, changes.files[0].path, changes.files[1].path,
             changes.files[2].path, changes.files[2].path);
    ck_assert_str_eq(diff, text);
    free(diff);
    file_changes_free(&changes);
}
END_TEST

/* ---- attach.conf */

static const struct {
    const char *why;
    char what;          /* sets the socket (x: is refused), adds a server, forgets one */
    const char *server; /* as the value of a set socket too */
    bool observe;
    const char *text; /* then; "" for no file */
} settings_rows[] = {
    {"nothing to say of", 'a', "sendmail", false, ""},
    {"a value", 's', "postfix", false, "socket = \"postfix\"; # postfix\n"},
    {"shared", 'a', "sendmail", true,
     "socket = \"postfix\"; # postfix sendmail\nmode = \"observe\"; # sendmail\n"},
    {"again", 'a', "sendmail", true,
     "socket = \"postfix\"; # postfix sendmail\nmode = \"observe\"; # sendmail\n"},
    {"another value, while another needs this one", 'x', "sendmail", false,
     "socket = \"postfix\"; # postfix sendmail\nmode = \"observe\"; # sendmail\n"},
    {"another instance", 'a', "postfix:/etc/postfix-in", false,
     "socket = \"postfix\"; # postfix sendmail postfix:/etc/postfix-in\n"
     "mode = \"observe\"; # sendmail postfix:/etc/postfix-in\n"},
    {"one goes", 'f', "sendmail", false,
     "socket = \"postfix\"; # postfix postfix:/etc/postfix-in\n"
     "mode = \"observe\"; # postfix:/etc/postfix-in\n"},
    {"one whose name begins alike goes", 'f', "postfix", false,
     "socket = \"postfix\"; # postfix:/etc/postfix-in\n"
     "mode = \"observe\"; # postfix:/etc/postfix-in\n"},
    {"who is not there goes", 'f', "sendmail", false,
     "socket = \"postfix\"; # postfix:/etc/postfix-in\n"
     "mode = \"observe\"; # postfix:/etc/postfix-in\n"},
    {"another value, for the only one", 's', "postfix:/etc/postfix-in", false,
     "socket = \"postfix:/etc/postfix-in\"; # postfix:/etc/postfix-in\n"
     "mode = \"observe\"; # postfix:/etc/postfix-in\n"},
    {"the last goes", 'f', "postfix:/etc/postfix-in", false, ""},
};

START_TEST(settings_go_with_the_last_server_that_needs_them)
{
    char conf[PATH_MAX], part[PATH_MAX + 32];
    struct settings settings = {.file = conf, .mode = MODE_ENFORCE};
    snprintf(conf, sizeof conf, "%s", at("milter-moved.conf"));
    snprintf(part, sizeof part, "%s.d/" ATTACH_CONF, conf);
    for (size_t i = 0; i < sizeof settings_rows / sizeof *settings_rows; i++) {
        const char *server = settings_rows[i].server, *why = settings_rows[i].why;
        char what = settings_rows[i].what;
        struct mta_request request = {
            .settings = &settings, .observe = settings_rows[i].observe, .detaches = what == 'f'};
        struct attachment a = {.request = &request, .server = server};
        struct error err;
        int rc = what == 'f' ? attachment_forget(&a, &err)
                             : attachment_share(&a, what == 'a' ? NULL : server, NULL, &err);
        ck_assert_msg(rc == (what == 'x' ? -1 : 0), "%s", why);
        ck_assert_msg(file_changes_apply(&a.changes, &err) == 0, "%s: %s", why, err.text);
        if (*settings_rows[i].text == '\0')
            ck_assert_msg(access(part, F_OK) != 0, "%s", why);
        else
            has(part, settings_rows[i].text);
        file_changes_free(&a.changes);
    }
}
END_TEST

Suite *files_suite(void)
{
    Suite *suite = suite_create("files");
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, scratch_setup, scratch_teardown);
    tcase_add_test(tests, a_file_and_its_copy_keep_owner_and_mode);
    tcase_add_test(tests, what_has_the_text_already_is_no_change);
    tcase_add_test(tests, a_link_in_the_path_is_followed_when_it_is_planned);
    tcase_add_test(tests, a_link_that_is_put_there_later_is_not_followed);
    tcase_add_test(tests, what_another_has_changed_since_it_was_planned_stays);
    tcase_add_test(tests, a_folder_that_is_exchanged_for_a_link_is_not_left);
    tcase_add_test(tests, what_is_not_on_the_disk_is_not_in_place);
    tcase_add_test(tests, what_is_no_regular_file_is_refused_at_once);
    tcase_add_test(tests, an_existing_file_is_not_written_over);
    tcase_add_test(tests, the_diff_shows_new_changed_and_removed_files);
    tcase_add_test(tests, settings_go_with_the_last_server_that_needs_them);
    suite_add_tcase(suite, tests);
    return suite;
}
