/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "daemon/forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The linker gives realloc this name (--wrap). */
void *__wrap_realloc(void *old, size_t size);
void *__real_realloc(void *old, size_t size);

static unsigned until_failure; /* calls; 0: none fails */

void *__wrap_realloc(void *old, size_t size)
{
    if (until_failure > 0 && --until_failure == 0)
        return NULL;
    return __real_realloc(old, size);
}

#define RECIPIENTS 100

/* Whichever allocation fails, that recipient alone is refused for now, and the next one is remembered. */
START_TEST(one_failed_allocation_costs_one_recipient)
{
    for (unsigned failure = 1; failure <= 7; failure++) {
        struct forwards forwards = {.allowed = true, .postfix = _i == 1};
        unsigned refused = 0;
        until_failure = failure;
        for (unsigned i = 0; i < RECIPIENTS; i++) {
            char path[32], *args[] = {path, NULL};
            snprintf(path, sizeof path, "<m%u@old.example>", i);
            refused += forward_note_staying(&forwards, args) == 0 ? 0 : 1;
        }
        ck_assert_uint_eq(refused, until_failure == 0 ? 1 : 0);
        ck_assert_uint_eq(forwards.staying_count, RECIPIENTS - refused);
        ck_assert_uint_le(forwards.staying_count, forwards.staying_room);
        until_failure = 0;
        forward_forget(&forwards);
        ck_assert_uint_eq(forwards.staying_count, 0);
    }
}
END_TEST

/* A client may send as many recipients as the mail server lets it, of any length. */
START_TEST(what_is_remembered_is_bounded)
{
    char path[700], *args[] = {path, NULL};
    struct forwards forwards = {.allowed = true, .postfix = _i == 1};
    memset(path, 'm', sizeof path);
    path[sizeof path - 1] = '\0';
    for (unsigned i = 0; i < STAYING_MAX + 10; i++)
        ck_assert_int_eq(forward_note_staying(&forwards, args), 0);
    ck_assert(forwards.crowded);
    ck_assert_uint_le(forwards.staying_count, STAYING_MAX);
    ck_assert_uint_le(forwards.staying_octets, STAYING_OCTETS_MAX);
    forward_forget(&forwards);
    ck_assert(!forwards.crowded && forwards.allowed && forwards.postfix == (_i == 1));
}
END_TEST

/* ---- the end of the message */

int __wrap_smfi_addrcpt_par(SMFICTX *ctx, char *recipient, char *parameters);
int __wrap_smfi_delrcpt(SMFICTX *ctx, char *recipient);
char *__wrap_smfi_getsymval(SMFICTX *ctx, char *name);

static char asked[200]; /* what the mail server was asked, in a few words */

int __wrap_smfi_addrcpt_par(SMFICTX *ctx, char *recipient, char *parameters)
{
    (void)ctx;
    (void)parameters;
    snprintf(asked + strlen(asked), sizeof asked - strlen(asked), "+%s ", recipient);
    return MI_SUCCESS;
}

int __wrap_smfi_delrcpt(SMFICTX *ctx, char *recipient)
{
    (void)ctx;
    snprintf(asked + strlen(asked), sizeof asked - strlen(asked), "-%s ", recipient);
    return MI_SUCCESS;
}

char *__wrap_smfi_getsymval(SMFICTX *ctx, char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

static const struct {
    const char *why, *path;
    bool postfix, crowded;
    const char *others; /* the mailbox name of a recipient that stays; NULL: none does */
    const char *asked;
} ends[] = {
    {"Sendmail", "<al@old.example>", false, false, "bo",
     "+<al@new.example> -<al@old.example> +<al@new.example> "},
    {"another of its name stays", "<al@old.example>", false, false, "AL",
     "+<al@new.example> +<al@new.example> "},
    {"another of its name may stay", "<al@old.example>", false, true, NULL,
     "+<al@new.example> +<al@new.example> "},
    {"Postfix, to which names are not mailboxes", "<al@old.example>", true, true, "al",
     "+<al@new.example> -<al@old.example> "},
    {"a bare name", "al@old.example", true, false, NULL, "+<al@new.example> -al@old.example -al "},
    {"a bare name that may be another's", "al@old.example", true, false, "bo",
     "+<al@new.example> -al@old.example "},
    {"a bare name among many", "al@old.example", true, true, NULL,
     "+<al@new.example> -al@old.example "},
};

START_TEST(nothing_is_deleted_that_may_be_another_s)
{
    char path[64], other[64], *args[] = {path, NULL}, *others[] = {other, NULL};
    struct forwards forwards = {
        .allowed = true, .postfix = ends[_i].postfix, .crowded = ends[_i].crowded};
    snprintf(path, sizeof path, "%s", ends[_i].path);
    snprintf(other, sizeof other, "<%s@here.example>",
             ends[_i].others == NULL ? "" : ends[_i].others);
    ck_assert_int_eq(forward_note(&forwards, args, "al@old.example", "al@new.example"), 0);
    if (ends[_i].others != NULL)
        ck_assert_int_eq(forward_note_staying(&forwards, others), 0);
    asked[0] = '\0';
    ck_assert_int_eq(forward_carry_out(&forwards, NULL), 0);
    ck_assert_msg(strcmp(asked, ends[_i].asked) == 0, "%s: %s", ends[_i].why, asked);
    forward_forget(&forwards);
}
END_TEST

Suite *forward_suite(void)
{
    Suite *suite = suite_create("forward");
    TCase *tcase = tcase_create("forward");
    tcase_add_loop_test(tcase, one_failed_allocation_costs_one_recipient, 0, 2);
    tcase_add_loop_test(tcase, what_is_remembered_is_bounded, 0, 2);
    tcase_add_loop_test(tcase, nothing_is_deleted_that_may_be_another_s, 0,
                        sizeof ends / sizeof *ends);
    suite_add_tcase(suite, tcase);
    return suite;
}
