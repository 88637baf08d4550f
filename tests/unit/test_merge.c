/* SPDX-License-Identifier: BSD-2-Clause */
#include "scratch.h"
#include "suites.h"

#include "table/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct address_rules rules = {.fold_case = true, .delimiters = "+"};

/* What is told, a line each. */
struct told {
    char text[4096];
};

static void tell(struct told *told, const char *text)
{
    strncat(told->text, text, sizeof told->text - strlen(told->text) - 1);
}

static int on_difference(const struct entry *before, const struct entry *after, void *data,
                         struct error *err)
{
    char line[256], old[ADDRESS_TEXT_SIZE];
    (void)err;
    entry_format_old(old, sizeof old, before == NULL ? after : before);
    snprintf(line, sizeof line, "%c %.80s %.80s %.80s\n",
             before == NULL  ? '+'
             : after == NULL ? '-'
                             : '~',
             old, before == NULL ? "" : before->new, after == NULL ? "" : after->new);
    tell(data, line);
    return 0;
}

static void on_repeated(const struct entry *entry, unsigned long line, unsigned long first,
                        bool same, void *data)
{
    char text[256];
    snprintf(text, sizeof text, "%lu is %lu%s (%.80s)\n", line, first, same ? ", the same" : "",
             entry->new);
    tell(data, text);
}

static struct merge *merge_of(const char *const *pairs, bool replaces_all,
                              const struct merge_watch *watch)
{
    struct merge *merge = merge_new(1, scratch, replaces_all, watch);
    struct error err;
    struct entry entry;
    for (unsigned long line = 1; *pairs != NULL; pairs += 2, line++) {
        const struct entry_text text = {.old = pairs[0], .new = pairs[1]};
        ck_assert_msg(entry_parse(&entry, &text, &rules, &err) == 0, "%s", err.text);
        ck_assert_int_eq(merge_add(merge, &entry, line, &err), 0);
    }
    return merge;
}

static int list_one(const struct entry *entry, void *data, struct error *err)
{
    char line[256], old[ADDRESS_TEXT_SIZE];
    (void)err;
    entry_format_old(old, sizeof old, entry);
    snprintf(line, sizeof line, "%.80s %.80s\n", old, entry->new);
    tell(data, line);
    return 0;
}

static void list(struct table *table, struct told *out)
{
    struct error err;
    out->text[0] = '\0';
    struct table_view *view = table_view_open(table, &err);
    ck_assert_int_eq(table_each(view, NULL, list_one, out, &err), 0);
    table_view_close(view);
}

static const struct {
    const char *why;
    const char *table[13], *file[13]; /* old and new by turns */
    bool replaces_all;
    const char *differences, *after;
    size_t same;
} merges[] = {
    {"nothing and nothing", {NULL}, {NULL}, true, "", "", 0},
    {"an empty table",
     {NULL},
     {"b@x", "b@y", "@x", "@y", "a@w", "a@y"},
     false,
     "+ a@w  a@y\n+ @x  @y\n+ b@x  b@y\n",
     "a@w a@y\n@x @y\nb@x b@y\n",
     0},
    {"others stay",
     {"a@x", "a@y", "c@x", "c@y", "e@x", "e@y", "f@x", "f@y"},
     {"c@x", "changed@y"},
     false,
     "~ c@x c@y changed@y\n",
     "a@x a@y\nc@x changed@y\ne@x e@y\nf@x f@y\n",
     0},
    {"before, between, behind",
     {"b@x", "b@y", "d@x", "d@y", "f@x", "f@y", "g@x", "g@y", "h@x", "h@y", "i@x", "i@y"},
     {"z@x", "z@y", "a@x", "a@y", "c@x", "c@y", "f@x", "f@y"},
     false,
     "+ a@x  a@y\n+ c@x  c@y\n+ z@x  z@y\n",
     "a@x a@y\nb@x b@y\nc@x c@y\nd@x d@y\nf@x f@y\ng@x g@y\nh@x h@y\ni@x i@y\nz@x z@y\n",
     1},
    {"mostly new",
     {"b@x", "b@y"},
     {"a@x", "a@y", "c@x", "c@y", "d@x", "d@y"},
     false,
     "+ a@x  a@y\n+ c@x  c@y\n+ d@x  d@y\n",
     "a@x a@y\nb@x b@y\nc@x c@y\nd@x d@y\n",
     0},
    {"the same",
     {"a@x", "a@y", "b@x", "b@y"},
     {"b@x", "b@y", "a@x", "a@y"},
     true,
     "",
     "a@x a@y\nb@x b@y\n",
     2},
    {"one removed",
     {"a@x", "a@y", "b@x", "b@y", "c@x", "c@y", "d@x", "d@y"},
     {"a@x", "a@y", "c@x", "c@y", "d@x", "d@y"},
     true,
     "- b@x b@y \n",
     "a@x a@y\nc@x c@y\nd@x d@y\n",
     3},
    {"the last one removed, one behind it added",
     {"a@x", "a@y", "b@x", "b@y", "c@x", "c@y", "d@x", "d@y", "e@x", "e@y"},
     {"a@x", "a@y", "b@x", "b@y", "c@x", "c@y", "d@x", "d@y", "f@x", "f@y"},
     true,
     "- e@x e@y \n+ f@x  f@y\n",
     "a@x a@y\nb@x b@y\nc@x c@y\nd@x d@y\nf@x f@y\n",
     4},
    {"all others",
     {"a@x", "a@y", "c@x", "c@y"},
     {"b@x", "b@y", "c@x", "d@y"},
     true,
     "- a@x a@y \n+ b@x  b@y\n~ c@x c@y d@y\n",
     "b@x b@y\nc@x d@y\n",
     0},
    {"all removed", {"a@x", "a@y", "@.x", "c@y"}, {NULL}, true, "- @.x c@y \n- a@x a@y \n", "", 0},
    {"the first line counts",
     {NULL},
     {"a@x", "a@y", "b@x", "b@y", "A@X.", "c@y", "a@x", "d@y"},
     true,
     "+ a@x  a@y\n3 is 1 (c@y)\n4 is 1 (d@y)\n+ b@x  b@y\n",
     "a@x a@y\nb@x b@y\n",
     0},
    {"a line that says the same again",
     {NULL},
     {"a@x", "a@y", "b@x", "b@y", "a@x", "c@y", "A@x", "a@y"},
     true,
     "+ a@x  a@y\n3 is 1 (c@y)\n4 is 1, the same (a@y)\n+ b@x  b@y\n",
     "a@x a@y\nb@x b@y\n",
     0},
};

static struct table *table_with(const char *const *pairs)
{
    struct error err;
    struct table *table;
    scratch_fill(NULL);
    ck_assert_int_eq(table_open(&table, scratch_table, TABLE_WRITE, true, &err), 0);
    struct table_edit *edit = table_edit_begin(table, &err);
    for (; *pairs != NULL; pairs += 2) {
        const struct entry_text text = {.old = pairs[0], .new = pairs[1]};
        struct entry entry;
        ck_assert_int_eq(entry_parse(&entry, &text, &rules, &err), 0);
        ck_assert_int_eq(table_edit_put(edit, &entry, false, &err), TABLE_ABSENT);
    }
    ck_assert_int_eq(table_edit_commit(edit, &err), 0);
    return table;
}

static void write_all(struct table *table, struct merge *merge)
{
    struct error err;
    struct merge_counts counts;
    struct table_edit *edit = table_edit_begin(table, &err);
    struct table_view *view = table_view_open(table, &err);
    ck_assert_int_eq(merge_compare(merge, view, &counts, &err), 0);
    ck_assert_int_eq(merge_write(merge, view, edit, &err), 0);
    table_view_close(view);
    ck_assert_msg(table_edit_commit(edit, &err) == 0, "%s", err.text);
}

START_TEST(a_file_beside_a_table)
{
    struct error err;
    struct merge_counts counts;
    struct told told = {""}, after, again = {""};
    struct merge_watch watch = {
        .repeated = on_repeated, .difference = on_difference, .data = &told};
    struct table *table = table_with(merges[_i].table);
    struct merge *merge = merge_of(merges[_i].file, merges[_i].replaces_all, &watch);

    struct table_view *view = table_view_open(table, &err);
    ck_assert_int_eq(merge_compare(merge, view, &counts, &err), 0);
    table_view_close(view);
    ck_assert_msg(strcmp(told.text, merges[_i].differences) == 0, "%s: told:\n%s", merges[_i].why,
                  told.text);
    ck_assert_uint_eq(counts.same, merges[_i].same);

    watch.data = &again;
    write_all(table, merge);
    ck_assert_str_eq(again.text, ""); /* all is told once */
    list(table, &after);
    ck_assert_msg(strcmp(after.text, merges[_i].after) == 0, "%s: now:\n%s", merges[_i].why,
                  after.text);
    merge_free(merge);
    table_free(table);
}
END_TEST

START_TEST(a_table_that_has_changed_since_is_compared_again)
{
    struct error err;
    struct merge_counts counts;
    struct told told = {""};
    const struct merge_watch watch = {
        .repeated = on_repeated, .difference = on_difference, .data = &told};
    struct table *table = table_with((const char *const[]){"a@x", "a@y", NULL});
    struct merge *merge =
        merge_of((const char *const[]){"a@x", "a@y", "b@x", "b@y", NULL}, true, &watch);

    struct table_view *view = table_view_open(table, &err);
    ck_assert_int_eq(merge_compare(merge, view, &counts, &err), 0);
    table_view_close(view);
    ck_assert_uint_eq(counts.removed, 0);

    struct entry other;
    const struct entry_text text = {.old = "c@x", .new = "c@y"};
    ck_assert_int_eq(entry_parse(&other, &text, &rules, &err), 0);
    struct table_edit *edit = table_edit_begin(table, &err);
    ck_assert_int_eq(table_edit_put(edit, &other, false, &err), TABLE_ABSENT);
    ck_assert_int_eq(table_edit_commit(edit, &err), 0);

    view = table_view_open(table, &err);
    ck_assert_int_eq(merge_compare(merge, view, &counts, &err), 0);
    table_view_close(view);
    ck_assert_uint_eq(counts.removed, 1);
    ck_assert_str_eq(told.text, "+ b@x  b@y\n");
    write_all(table, merge);
    list(table, &told);
    ck_assert_str_eq(told.text, "a@x a@y\nb@x b@y\n");
    merge_free(merge);
    table_free(table);
}
END_TEST

/* As many as do not fit into the memory, in a table that has every third of them and others. */
START_TEST(many_entries)
{
    struct error err;
    struct merge_counts counts;
    const struct merge_watch watch = {.data = NULL};
    struct table *table = table_with((const char *const[]){NULL});
    struct merge *merges_of[2] = {merge_new(1, scratch, false, &watch),
                                  merge_new(1, scratch, true, &watch)};
    char old[64];
    struct entry entry;
    size_t count;

    for (unsigned long i = 0; i < 9000; i++) {
        snprintf(old, sizeof old, "u%05lu@old.example", i * 7919 % 9000);
        const struct entry_text text = {.old = old, .new = "x@new.example"};
        ck_assert_int_eq(entry_parse(&entry, &text, &rules, &err), 0);
        if (i % 3 == 0)
            ck_assert_int_eq(merge_add(merges_of[0], &entry, i + 1, &err), 0);
        entry.new[0] = i < 1000 ? 'y' : 'x';
        if (i < 8500)
            ck_assert_int_eq(merge_add(merges_of[1], &entry, i + 1, &err), 0);
    }
    write_all(table, merges_of[0]);
    ck_assert_int_eq(table_count(table, &count, &err), 0);
    ck_assert_uint_eq(count, 3000);

    struct table_view *view = table_view_open(table, &err);
    ck_assert_int_eq(merge_compare(merges_of[1], view, &counts, &err), 0);
    table_view_close(view);
    ck_assert_uint_eq(counts.same, 2500);
    ck_assert_uint_eq(counts.changed, 334);
    ck_assert_uint_eq(counts.removed, 166);
    ck_assert_uint_eq(counts.added, 8500 - 2834);
    write_all(table, merges_of[1]);
    ck_assert_int_eq(table_count(table, &count, &err), 0);
    ck_assert_uint_eq(count, 8500);
    merge_free(merges_of[0]);
    merge_free(merges_of[1]);
    table_free(table);
}
END_TEST

Suite *merge_suite(void)
{
    Suite *suite = suite_create("merge");
    TCase *tcase = tcase_create("merge");
    tcase_add_checked_fixture(tcase, scratch_setup, scratch_teardown);
    tcase_add_loop_test(tcase, a_file_beside_a_table, 0, ROWS(merges));
    tcase_add_test(tcase, a_table_that_has_changed_since_is_compared_again);
    tcase_add_test(tcase, many_entries);
    suite_add_tcase(suite, tcase);
    return suite;
}
