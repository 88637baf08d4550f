#include "suites.h"

#include "mail/script.h"

#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *why, *text;
    enum script_trick trick;
    uint32_t where;
} rows[] = {
    {"ASCII", "alice.smith-jones_2", SCRIPT_PLAIN, 0},
    {"nothing", "", SCRIPT_PLAIN, 0},
    {"Latin with marks", "jörg.łukasz", SCRIPT_PLAIN, 0},
    {"no UTF-8", "j\xf6rg", SCRIPT_PLAIN, 0},
    {"Cyrillic", "иван.петров", SCRIPT_PLAIN, 0},
    {"Greek", "γιώργος", SCRIPT_PLAIN, 0},
    {"Chinese", "用户", SCRIPT_PLAIN, 0},
    {"Japanese, with Latin", "メール太郎さんabcー", SCRIPT_PLAIN, 0},
    {"Korean, with Latin and Han", "메일mail漢", SCRIPT_PLAIN, 0},
    {"Bopomofo, with Han", "ㄅㄆ注音", SCRIPT_PLAIN, 0},
    {"Hebrew", "יוסי.כהן", SCRIPT_PLAIN, 0},
    {"Hebrew, with digits at its end", "יוסי2", SCRIPT_PLAIN, 0},
    {"Arabic, with a mark at its end", "محمدٌ", SCRIPT_PLAIN, 0},
    {"Persian, with a ZWNJ between letters that join", "نامه‌ای", SCRIPT_PLAIN, 0},
    {"Devanagari, with a ZWJ behind a virama", "क्‍ष", SCRIPT_PLAIN, 0},
    {"Devanagari digits", "राम१२", SCRIPT_PLAIN, 0},

    {"Latin with a Cyrillic letter", "pаypal", SCRIPT_MIXED, 0x430},
    {"Cyrillic with a Latin letter", "ивaн", SCRIPT_MIXED, 0x438},
    {"Latin with a Greek letter", "gοogle", SCRIPT_MIXED, 0x3bf},
    {"Greek with a Cyrillic letter", "γιаν", SCRIPT_MIXED, 0x3b3},
    {"Hangul with Kana", "메일さ", SCRIPT_MIXED, 0xba54},
    {"Cyrillic with Han", "почта用", SCRIPT_MIXED, 0x43f},
    {"Latin with Hebrew", "aliceא", SCRIPT_MIXED, 0x5d0},

    {"all Cyrillic, like 'apple'", "аррӏе", SCRIPT_LOOKALIKE, 0x430},
    {"and with a digit and a dot", "осо.1", SCRIPT_LOOKALIKE, 0x43e},
    {"all Greek, like 'ovo'", "ονο", SCRIPT_LOOKALIKE, 0x3bf},
    {"all Armenian, like 'oh'", "օհ", SCRIPT_LOOKALIKE, 0x585},

    {"right-to-left override",
     "alice\xe2\x80\xae"
     "gnp",
     SCRIPT_CONTROL, 0x202e},
    {"left-to-right isolate",
     "\xe2\x81\xa6"
     "alice",
     SCRIPT_CONTROL, 0x2066},
    {"Arabic letter mark", "محمد\xd8\x9c", SCRIPT_CONTROL, 0x61c},
    {"right-to-left mark", "alice\xe2\x80\x8f", SCRIPT_CONTROL, 0x200f},

    {"zero width space",
     "ali\xe2\x80\x8b"
     "ce",
     SCRIPT_INVISIBLE, 0x200b},
    {"soft hyphen",
     "ali\xc2\xad"
     "ce",
     SCRIPT_INVISIBLE, 0xad},
    {"byte order mark",
     "\xef\xbb\xbf"
     "alice",
     SCRIPT_INVISIBLE, 0xfeff},
    {"no-break space",
     "ali\xc2\xa0"
     "ce",
     SCRIPT_INVISIBLE, 0xa0},
    {"word joiner",
     "ali\xe2\x81\xa0"
     "ce",
     SCRIPT_INVISIBLE, 0x2060},
    {"ZWJ between Latin letters",
     "ali\xe2\x80\x8d"
     "ce",
     SCRIPT_INVISIBLE, 0x200d},
    {"ZWNJ in the first place",
     "\xe2\x80\x8c"
     "ای",
     SCRIPT_INVISIBLE, 0x200c},
    {"variation selector", "用\xef\xb8\x80", SCRIPT_INVISIBLE, 0xfe00},
    {"Hangul filler", "\xe3\x85\xa4", SCRIPT_INVISIBLE, 0x3164},
    {"tag character", "alice\xf3\xa0\x81\xa1", SCRIPT_INVISIBLE, 0xe0061},
    {"empty braille cell",
     "ali\xe2\xa0\x80"
     "ce",
     SCRIPT_INVISIBLE, 0x2800},

    {"digits of two scripts", "राम१2", SCRIPT_DIGITS, '2'},
    {"Arabic and European digits", "محمد٢3", SCRIPT_DIGITS, '3'},
    {"Hebrew behind European digits", "2יוסי", SCRIPT_DIRECTION, 0x5d9},
    {"Hebrew that ends in a hyphen", "יוסי-", SCRIPT_DIRECTION, '-'},
};
START_TEST(tricks_are_seen_and_people_left_alone)
{
    uint32_t where = 7;
    enum script_trick trick = script_check(rows[_i].text, strlen(rows[_i].text), &where);
    ck_assert_msg(trick == rows[_i].trick, "%s: %d", rows[_i].why, (int)trick);
    ck_assert_msg(where == rows[_i].where, "%s: U+%04X", rows[_i].why, (unsigned)where);
}
END_TEST

START_TEST(a_text_of_any_length_is_looked_at)
{
    static char text[SCRIPT_TEXT_MAX + 2];
    uint32_t where;
    memset(text, 'a', sizeof text);
    memcpy(text + SCRIPT_TEXT_MAX - 2, "а", 2); /* Cyrillic */
    ck_assert_int_eq(script_check(text, SCRIPT_TEXT_MAX, &where), SCRIPT_MIXED);
    ck_assert_int_eq(script_check(text, SCRIPT_TEXT_MAX + 1, &where), SCRIPT_PLAIN);
}
END_TEST

START_TEST(a_character_is_named)
{
    char name[64];
    script_name_character(name, sizeof name, 0x430);
    ck_assert_str_eq(name, "U+0430 CYRILLIC SMALL LETTER A");
    script_name_character(name, sizeof name, 0xe0fff);
    ck_assert_str_eq(name, "U+E0FFF");
    ck_assert_str_eq(script_of(0x430), "Cyrillic");
    ck_assert_str_eq(script_of('1'), "Common");
}
END_TEST

Suite *script_suite(void)
{
    Suite *suite = suite_create("script");
    TCase *tcase = tcase_create("script");
    tcase_add_loop_test(tcase, tricks_are_seen_and_people_left_alone, 0, ROWS(rows));
    tcase_add_test(tcase, a_text_of_any_length_is_looked_at);
    tcase_add_test(tcase, a_character_is_named);
    suite_add_tcase(suite, tcase);
    return suite;
}
