/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "mail/reply.h"

#include <stdio.h>
#include <string.h>

#define NEW10       "${new}${new}${new}${new}${new}${new}${new}${new}${new}${new}"
#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *template;
    enum reply_class class;
    bool needs_new;
} good[] = {
    {"551 5.1.6 User not local; please try <${new}>", REPLY_PERMANENT, true},
    {"550 5.1.6 ${old} has moved", REPLY_PERMANENT, false},
    {"450 4.7.1 later", REPLY_TRANSIENT, false},
    {"551 5.999.999 100 % $ of them {moved}", REPLY_PERMANENT, false},
    {"550 5.1.1 <${recipient}>: User unknown", REPLY_PERMANENT, false},
    {"551 5.1.6 please try <${new}>\nSee https://www.old.example/moved\n100 % of them",
     REPLY_PERMANENT, true},
    {"550 5.1.6 " NEW10 NEW10 NEW10 "\nx", REPLY_PERMANENT, false},
    {"550 5.1.6 1\n2\n3\n4\n5\n6\n7\n8", REPLY_PERMANENT, false},
};
START_TEST(sound_templates_are_taken)
{
    struct error err;
    ck_assert_msg(reply_check(good[_i].template, good[_i].class, good[_i].needs_new, &err) == 0,
                  "%s", err.text);
}
END_TEST

static const struct {
    const char *why, *template;
    enum reply_class class;
    bool needs_new;
} bad[] = {
    {"codes in another line", "551 5.1.6 a\n250 2.0.0 b", REPLY_PERMANENT, false},
    {"an empty line", "551 5.1.6 a\n\nb", REPLY_PERMANENT, false},
    {"an empty line at the end", "551 5.1.6 a\n", REPLY_PERMANENT, false},
    {"an empty first line", "551 5.1.6 \nb", REPLY_PERMANENT, false},
    {"nine lines", "550 5.1.6 1\n2\n3\n4\n5\n6\n7\n8\n9", REPLY_PERMANENT, false},
    {"a carriage return in another line", "551 5.1.6 a\nb\r", REPLY_PERMANENT, false},
    {"UTF-8 in another line", "551 5.1.6 a\nverz\xc3\xb6gert", REPLY_PERMANENT, false},
    {"a strange variable in another line", "551 5.1.6 a\n${a}", REPLY_PERMANENT, false},
    {"${new} in another line alone", "551 5.1.6 moved\nplease try <${new}>", REPLY_PERMANENT, true},
    {"a carriage return", "551 5.1.6 a\rb", REPLY_PERMANENT, false},
    {"2yz", "251 2.1.6 will forward", REPLY_PERMANENT, false},
    {"4yz where 5yz is due", "450 4.1.6 a", REPLY_PERMANENT, false},
    {"5yz where 4yz is due", "550 5.1.6 a", REPLY_TRANSIENT, false},
    {"421", "421 4.3.0 bye", REPLY_TRANSIENT, false},
    {"codes that disagree", "551 4.1.6 a", REPLY_PERMANENT, false},
    {"no enhanced code", "551 User not local", REPLY_PERMANENT, false},
    {"no text", "551 5.1.6 ", REPLY_PERMANENT, false},
    {"no text, no blank", "551 5.1.6", REPLY_PERMANENT, false},
    {"four digits", "551 5.1.1234 a", REPLY_PERMANENT, false},
    {"no ${new}", "551 5.1.6 gone", REPLY_PERMANENT, true},
    {"a strange variable", "551 5.1.6 ${newer}", REPLY_PERMANENT, false},
    {"a variable not closed", "551 5.1.6 ${new", REPLY_PERMANENT, false},
    {"UTF-8", "551 5.1.6 verz\xc3\xb6gert ${new}", REPLY_PERMANENT, true},
    {"empty", "", REPLY_PERMANENT, false},
};
START_TEST(others_are_refused_with_one_line)
{
    struct error err;
    ck_assert_msg(reply_check(bad[_i].template, bad[_i].class, bad[_i].needs_new, &err) == -1, "%s",
                  bad[_i].why);
    ck_assert_int_eq(err.status, EX_CONFIG);
    ck_assert_msg(strstr(err.text, ": write ") != NULL, "%s: %s", bad[_i].why, err.text);
}
END_TEST

/* old: NULL, or a mailbox name and perhaps '@' and a domain. */
static int fill(struct reply *out, const char *template, const char *old, const char *new,
                const char *recipient)
{
    struct address address;
    const struct reply_words words = {old == NULL ? NULL : &address, new, recipient,
                                      recipient == NULL ? 0 : strlen(recipient)};
    if (old != NULL) {
        size_t length = strcspn(old, "@");
        snprintf(address.written, sizeof address.written, "%.*s", (int)length, old);
        snprintf(address.domain, sizeof address.domain, "%s",
                 old[length] == '@' ? old + length + 1 : "");
    }
    ck_assert_int_eq(reply_check(template, (enum reply_class)(template[0] - '0'), false, NULL), 0);
    return reply_fill(out, template, &words);
}

START_TEST(variables_are_filled_in)
{
    struct reply reply;
    ck_assert_int_eq(
        fill(&reply, "551 5.1.6 ${old} is <${new}>${new} $ %s ${recipient}", "a@b", "c%d@e", "A@B"),
        0);
    ck_assert_str_eq(reply.code, "551");
    ck_assert_str_eq(reply.enhanced, "5.1.6");
    ck_assert_uint_eq(reply.lines, 1);
    ck_assert_str_eq(reply.text[0], "a@b is <c%d@e>c%d@e $ %s A@B");
    ck_assert_int_eq(fill(&reply, "550 5.1.6 <${old}><${new}>$", NULL, NULL, NULL), 0);
    ck_assert_str_eq(reply.text[0], "<><>$");
}
END_TEST

static const struct {
    const char *recipient, *text;
} spellings[] = {
    {"<Al@OLD.example.>", "Al@OLD.example."},
    {"<@relay.example,@b.example:al@old.example>", "al@old.example"},
    {"\"two \\\"words\\\\\"@old.example", "two \"words\\@old.example"},
    {"<a\\l@old.example>", "a\\l@old.example"},
    {"<\"al\\", "<al"},
    {"<>", ""},
};
START_TEST(the_recipient_is_written_as_postfix_does)
{
    struct reply reply;
    ck_assert_int_eq(
        fill(&reply, "550 5.1.1 (${recipient}) x", NULL, NULL, spellings[_i].recipient), 0);
    size_t length = strlen(spellings[_i].text);
    ck_assert_msg(strncmp(reply.text[0] + 1, spellings[_i].text, length) == 0 &&
                      strcmp(reply.text[0] + 1 + length, ") x") == 0,
                  "%s: %s", spellings[_i].recipient, reply.text[0]);
}
END_TEST

START_TEST(octets_over_127_are_told)
{
    struct reply reply;
    ck_assert_int_eq(fill(&reply, "551 5.1.6 <${new}>\n${old}", "a@b", "c@d", NULL), 0);
    ck_assert(!reply.needs_utf8);
    ck_assert_int_eq(fill(&reply, "551 5.1.6 <${new}>\n${old}", "\xc3\xa4@b", "c@d", NULL), 0);
    ck_assert(reply.needs_utf8);
    ck_assert_int_eq(fill(&reply, "551 5.1.6 <${new}>\n${old}", "a@b", "\xc2\x85@d", NULL), 0);
    ck_assert(!reply.needs_utf8); /* a control character, which has become '?' */
}
END_TEST

START_TEST(each_line_is_filled_in)
{
    char text[REPLY_TEXT_SIZE];
    struct reply reply;
    ck_assert_int_eq(fill(&reply, "551 5.1.6 try <${new}>\nnot ${old}\nbye", "a@b", "c@d", NULL),
                     0);
    ck_assert_uint_eq(reply.lines, 3);
    reply_format(text, sizeof text, &reply);
    ck_assert_str_eq(text, "551-5.1.6 try <c@d>\n551-5.1.6 not a@b\n551 5.1.6 bye");
}
END_TEST

/* Whatever octet, at whatever place of the table or the client, between others or alone. */
START_TEST(no_octet_can_end_or_forge_a_line)
{
    static const char *const around[][2] = {{"", ""}, {"a", "b"}, {"\xc2", ""}, {"\xe2\x80", ""}};
    struct reply reply;
    char word[8];
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        snprintf(word, sizeof word, "%s%c%s", around[i][0], (char)_i, around[i][1]);
        ck_assert_int_eq(fill(&reply, "551 5.1.6 <${new}>\n${old}\n${recipient}", word, word, word),
                         0);
        ck_assert_uint_eq(reply.lines, 3);
        ck_assert_uint_eq(strlen(reply.text[0]), strlen(word) + 2);
        for (unsigned line = 0; line < 3; line++) {
            for (const char *at = reply.text[line]; *at != '\0'; at++)
                ck_assert((unsigned char)*at >= ' ' && *at != 0x7f);
            ck_assert(strstr(reply.text[line], "\xc2\x85") == NULL);
            ck_assert(strstr(reply.text[line], "\xe2\x80\xa8") == NULL);
        }
    }
}
END_TEST

/* C1 control characters, LINE SEPARATOR and PARAGRAPH SEPARATOR; their neighbours are ordinary. */
static const struct {
    const char *character, *shown;
} characters[] = {
    {"\xc2\x80", "??"},
    {"\xc2\x85", "??"},
    {"\xc2\x9b", "??"},
    {"\xc2\x9f", "??"},
    {"\xc2\xa0", "\xc2\xa0"},
    {"\xe2\x80\xa7", "\xe2\x80\xa7"},
    {"\xe2\x80\xa8", "???"},
    {"\xe2\x80\xa9", "???"},
    {"\xe2\x80\xaa", "\xe2\x80\xaa"},
    {"\xe2\x81\xa9", "\xe2\x81\xa9"},
};
START_TEST(a_character_that_ends_a_line_or_steers_a_terminal)
{
    char new[16], shown[16];
    struct reply reply;
    snprintf(new, sizeof new, "a%sb", characters[_i].character);
    snprintf(shown, sizeof shown, "<a%sb>", characters[_i].shown);
    ck_assert_int_eq(fill(&reply, "551 5.1.6 <${new}>", NULL, new, NULL), 0);
    ck_assert_str_eq(reply.text[0], shown);
}
END_TEST

START_TEST(two_words_side_by_side_make_no_control_character)
{
    struct reply reply;
    ck_assert_int_eq(fill(&reply, "551 5.1.6 ${recipient}${new}", NULL,
                          "\x85"
                          "b",
                          "a\xc2"),
                     0);
    ck_assert_str_eq(reply.text[0], "a??b");
    ck_assert_int_eq(fill(&reply, "551 5.1.6 ${old}${new}", "a@\xc2",
                          "\x85"
                          "b",
                          NULL),
                     0);
    ck_assert_str_eq(reply.text[0], "a@??b");
}
END_TEST

START_TEST(a_line_has_at_most_512_octets)
{
    struct reply reply;
    char new[600];
    memset(new, 'n', sizeof new);
    new[REPLY_LINE_MAX - 10] = '\0';
    ck_assert_int_eq(fill(&reply, "551 5.1.6 ${new}", NULL, new, NULL), 0);
    ck_assert_uint_eq(strlen(reply.text[0]), REPLY_LINE_MAX - 10);
    ck_assert_int_eq(fill(&reply, "551 5.1.6 a\n${new}", NULL, new, NULL), 0);
    ck_assert_int_eq(fill(&reply, "551 5.1.6 a\n${new}.", NULL, new, NULL), -1);
    new[REPLY_LINE_MAX - 10] = 'n';
    new[REPLY_LINE_MAX - 9] = '\0';
    ck_assert_int_eq(fill(&reply, "551 5.1.6 ${new}", NULL, new, NULL), -1);
}
END_TEST

Suite *reply_suite(void)
{
    Suite *suite = suite_create("reply");
    TCase *tcase = tcase_create("reply");
    tcase_add_loop_test(tcase, sound_templates_are_taken, 0, ROWS(good));
    tcase_add_loop_test(tcase, others_are_refused_with_one_line, 0, ROWS(bad));
    tcase_add_test(tcase, variables_are_filled_in);
    tcase_add_loop_test(tcase, the_recipient_is_written_as_postfix_does, 0, ROWS(spellings));
    tcase_add_test(tcase, octets_over_127_are_told);
    tcase_add_test(tcase, each_line_is_filled_in);
    tcase_add_loop_test(tcase, no_octet_can_end_or_forge_a_line, 1, 256);
    tcase_add_loop_test(tcase, a_character_that_ends_a_line_or_steers_a_terminal, 0,
                        ROWS(characters));
    tcase_add_test(tcase, two_words_side_by_side_make_no_control_character);
    tcase_add_test(tcase, a_line_has_at_most_512_octets);
    suite_add_tcase(suite, tcase);
    return suite;
}
