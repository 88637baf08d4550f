/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "base/place.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static int home = -1; /* where the tests began: the working directory is the scratch folder */

static void make_tree(void)
{
    scratch_setup();
    home = open(".", O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(chdir(scratch), 0);
    ck_assert_int_eq(mkdir("folder", 0755) | mkdir("folder/inner", 0755), 0);
    ck_assert_int_eq(close(open("folder/file", O_CREAT | O_WRONLY, 0600)), 0);
    ck_assert_int_eq(symlink("folder/inner", "to-inner") |
                         symlink("../folder/file", "folder/to-file") |
                         symlink("nothing", "dangling") | symlink("loop", "loop"),
                     0);
    ck_assert_int_eq(symlink(scratch, "folder/inner/to-top"), 0);
}

static void remove_tree(void)
{
    ck_assert_int_eq(fchdir(home), 0);
    close(home);
    scratch_teardown();
}

/* Whether it is where its folder, and the name there, should be. */
static bool is_in(const struct place *place, const char *folder)
{
    struct stat status, wanted;
    return fstat(place->folder, &status) == 0 && stat(folder, &wanted) == 0 &&
           status.st_ino == wanted.st_ino && status.st_dev == wanted.st_dev;
}

static const struct {
    const char *path, *folder, *name;
    bool there;
} found[] = {
    {"folder", "folder", "", true},
    {"folder/", "folder", "", true},
    {".", ".", "", true},
    {"/", "/", "", true},
    {"folder/inner/../file", "folder", "file", true},
    {"./folder//file", "folder", "file", true},
    {"to-inner", "folder/inner", "", true},
    {"to-inner/../file", "folder", "file", true},
    {"folder/to-file", "folder", "file", true},
    {"folder/inner/to-top/folder/file", "folder", "file", true},
    {"new", ".", "new", false},
    {"folder/new/", "folder", "new", false},
    {"dangling", ".", "nothing", false},
    {"to-inner/new", "folder/inner", "new", false},
    {"/dev/full", "/dev", "full", true},
};

START_TEST(a_path_leads_to_a_place)
{
    struct place place;
    struct error err;
    ck_assert_msg(place_find(&place, found[_i].path, &err) == 0, "%s", err.text);
    ck_assert_str_eq(place.name, found[_i].name);
    ck_assert_int_eq(place.there, found[_i].there);
    ck_assert(is_in(&place, found[_i].folder));
    ck_assert_int_eq(place.owner, 0);
    place_free(&place);
}
END_TEST

static const struct {
    const char *path;
    int reason, status;
} lost[] = {
    {"", ENOENT, EX_NOINPUT},
    {"new/inner", ENOENT, EX_NOINPUT},
    {"folder/file/x", ENOTDIR, EX_NOINPUT},
    {"dangling/x", ENOENT, EX_NOINPUT},
    {"loop", ELOOP, EX_IOERR},
};

START_TEST(a_path_leads_nowhere)
{
    struct place place;
    struct error err;
    ck_assert_int_eq(place_find(&place, lost[_i].path, &err), -1);
    ck_assert_int_eq(errno, lost[_i].reason);
    ck_assert_int_eq(err.status, lost[_i].status);
    ck_assert_int_eq(place.folder, -1);
}
END_TEST

/* Standard output, whatever it is. */
START_TEST(a_link_of_proc_leads_to_what_is_open)
{
    struct place place;
    int ends[2];
    char path[64];
    ck_assert_int_eq(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[1]);
    ck_assert_int_eq(place_find(&place, path, NULL), 0);
    ck_assert(place.there && strcmp(place.name, strrchr(path, '/') + 1) == 0);
    place_free(&place);
    snprintf(path, sizeof path, "/proc/self/fd/%d", home);
    ck_assert_int_eq(place_find(&place, path, NULL), 0);
    ck_assert_str_eq(place.name, "");
    place_free(&place);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* ---- root among folders of others; who is not root has no part in this */

#define NOBODY  65534 /* has an account */
#define NO_ONE  54321 /* has none */
#define REFUSED (-1)

static const struct {
    const char *why;
    uid_t user;
    gid_t group;
    mode_t mode; /* of the folder; what is in it is NO_ONE's */
    const char *path;
    long owner;
} owned[] = {
    {"root's alone", 0, 0, 0755, "folder/inner", 0},
    {"of root's group", 0, 0, 0775, "folder/inner", 0},
    {"another's", NOBODY, 0, 0755, "folder/file", NOBODY},
    {"of another group", 0, NOBODY, 0775, "folder/file", REFUSED},
    {"everyone's", 0, 0, 0777, "folder/file", REFUSED},
    {"everyone's, to make something there", 0, 0, 0777, "folder/new", REFUSED},
    {"each his own", 0, 0, 01777, "folder/file", NO_ONE},
    {"each his own, the folder itself", 0, 0, 01777, "folder", REFUSED},
    {"each his own, through a link of his", 0, 0, 01777, "folder/to-file", NO_ONE},
};

START_TEST(who_may_write_in_a_folder_is_who_works_there)
{
    struct place place;
    struct error err;
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(chmod(scratch, 0755), 0);
    ck_assert_int_eq(chown("folder/file", NO_ONE, NO_ONE), 0);
    ck_assert_int_eq(lchown("folder/to-file", NO_ONE, NO_ONE), 0);
    ck_assert_int_eq(chown("folder", owned[_i].user, owned[_i].group), 0);
    ck_assert_int_eq(chmod("folder", owned[_i].mode), 0);
    if (owned[_i].owner == REFUSED) {
        ck_assert_msg(place_find(&place, owned[_i].path, &err) == -1, "%s", owned[_i].why);
        ck_assert_int_eq(err.status, EX_NOPERM);
        return;
    }
    ck_assert_msg(place_find(&place, owned[_i].path, &err) == 0, "%s", err.text);
    ck_assert_msg((long)place.owner == owned[_i].owner, "%s: %lu", owned[_i].why,
                  (unsigned long)place.owner);
    ck_assert_int_eq(geteuid(), 0);
    place_free(&place);
}
END_TEST

static const uid_t users[] = {NOBODY, NO_ONE};

START_TEST(root_works_with_the_groups_of_the_owner_and_gets_his_own_back)
{
    const struct place place = {.folder = -1, .owner = users[_i]};
    const gid_t roots[] = {0, NO_ONE};
    gid_t groups[64];
    struct error err;
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(setgroups(2, roots), 0);
    ck_assert_msg(place_enter(&place, &err) == 0, "%s", err.text);
    ck_assert_int_eq(geteuid(), users[_i]);
    ck_assert_int_ne(getegid(), 0);
    for (int i = getgroups(64, groups); i-- > 0;)
        ck_assert(groups[i] != 0 && groups[i] != NO_ONE);
    place_leave(&place);
    ck_assert_int_eq(geteuid(), 0);
    ck_assert_int_eq(getegid(), 0);
    ck_assert_int_eq(getgroups(64, groups), 2);
    ck_assert(groups[0] == roots[0] && groups[1] == roots[1]);
}
END_TEST

Suite *place_suite(void)
{
    Suite *suite = suite_create("place");
    TCase *tcase = tcase_create("place");
    tcase_add_checked_fixture(tcase, make_tree, remove_tree);
    tcase_add_loop_test(tcase, a_path_leads_to_a_place, 0, ROWS(found));
    tcase_add_loop_test(tcase, a_path_leads_nowhere, 0, ROWS(lost));
    tcase_add_test(tcase, a_link_of_proc_leads_to_what_is_open);
    tcase_add_loop_test(tcase, who_may_write_in_a_folder_is_who_works_there, 0, ROWS(owned));
    tcase_add_loop_test(tcase, root_works_with_the_groups_of_the_owner_and_gets_his_own_back, 0,
                        ROWS(users));
    suite_add_tcase(suite, tcase);
    return suite;
}
