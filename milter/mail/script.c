#include "mail/script.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unictype.h>
#include <uniname.h>
#include <unistr.h>

/* The text as characters. */
struct characters {
    ucs4_t at[SCRIPT_TEXT_MAX];
    size_t count;
};

static bool read_characters(struct characters *out, const char *text, size_t length)
{
    out->count = SCRIPT_TEXT_MAX;
    return length <= SCRIPT_TEXT_MAX &&
           u8_to_u32((const uint8_t *)text, length, out->at, &out->count) == out->at;
}

/* The first character that is such a one, or 0. */
static ucs4_t find_character(const struct characters *text,
                             bool (*is)(const struct characters *text, size_t place))
{
    for (size_t i = 0; i < text->count; i++)
        if (is(text, i))
            return text->at[i];
    return 0;
}

/* ---- characters that are not seen */

static bool is_control(const struct characters *text, size_t place)
{
    return uc_is_property_bidi_control(text->at[place]);
}

/* The joining type of the nearest character that is not transparent, in steps of 1 or -1. */
static int joins(const struct characters *text, size_t place, size_t step)
{
    int type = UC_JOINING_TYPE_U;
    do {
        place += step;
        if (place >= text->count) /* before the first, too: it is unsigned */
            return UC_JOINING_TYPE_U;
        type = uc_joining_type(text->at[place]);
    } while (type == UC_JOINING_TYPE_T);
    return type;
}

/* ZWNJ and ZWJ where a script needs them (RFC 5892 appendix A.1 and A.2): behind a virama, and ZWNJ between letters
 * that would join. */
static bool is_joiner_in_place(const struct characters *text, size_t place)
{
    ucs4_t character = text->at[place];
    if (character != 0x200c && character != 0x200d)
        return false;
    if (place > 0 && uc_combining_class(text->at[place - 1]) == UC_CCC_VR)
        return true;
    int before = joins(text, place, (size_t)-1), after = joins(text, place, 1);
    return character == 0x200c && (before == UC_JOINING_TYPE_L || before == UC_JOINING_TYPE_D) &&
           (after == UC_JOINING_TYPE_R || after == UC_JOINING_TYPE_D);
}

static bool is_invisible(const struct characters *text, size_t place)
{
    ucs4_t character = text->at[place];
    if (character < 0x80 || is_joiner_in_place(text, place))
        return false;
    return uc_is_property_default_ignorable_code_point(character) ||
           uc_is_property_white_space(character) || character == 0x2800; /* an empty braille cell */
}

/* ---- scripts */

/* Those that are written together, a bit each. */
enum { LATIN = 1, HAN = 2, HIRAGANA = 4, KATAKANA = 8, BOPOMOFO = 16, HANGUL = 32, OTHER = 64 };

static const char *const together_names[] = {"Latin",    "Han",      "Hiragana",
                                             "Katakana", "Bopomofo", "Hangul"};

static unsigned together_bit(const char *script)
{
    for (unsigned i = 0; i < sizeof together_names / sizeof *together_names; i++)
        if (strcmp(script, together_names[i]) == 0)
            return 1U << i;
    return OTHER;
}

static bool may_stand_together(unsigned scripts)
{
    return scripts == OTHER || (scripts & ~(unsigned)(LATIN | HAN | HIRAGANA | KATAKANA)) == 0 ||
           (scripts & ~(unsigned)(LATIN | HAN | BOPOMOFO)) == 0 ||
           (scripts & ~(unsigned)(LATIN | HAN | HANGUL)) == 0;
}

const char *script_of(uint32_t character)
{
    const uc_script_t *script = uc_script(character);
    return script == NULL ? "Common" : script->name;
}

static bool has_script(const char *script)
{
    return strcmp(script, "Common") != 0 && strcmp(script, "Inherited") != 0;
}

/* Returns the first character that is not Latin, where the scripts do not go together, or 0. */
static ucs4_t find_mixed(const struct characters *text)
{
    unsigned scripts = 0;
    const char *other = NULL;
    ucs4_t strange = 0;

    for (size_t i = 0; i < text->count; i++) {
        const char *script = script_of(text->at[i]);
        if (!has_script(script))
            continue;
        unsigned bit = together_bit(script);
        if (bit != LATIN && strange == 0)
            strange = text->at[i];
        scripts |= bit;
        if (!may_stand_together(scripts) ||
            (bit == OTHER && other != NULL && strcmp(other, script) != 0))
            return strange;
        if (bit == OTHER)
            other = script;
    }
    return 0;
}

static ucs4_t find_other_digit(const struct characters *text)
{
    ucs4_t zero = 0;
    for (size_t i = 0; i < text->count; i++) {
        int value = uc_decimal_value(text->at[i]);
        if (value < 0)
            continue;
        if (zero != 0 && text->at[i] - (ucs4_t)value != zero)
            return text->at[i];
        zero = text->at[i] - (ucs4_t)value;
    }
    return 0;
}

/* What a reader of Latin script takes for a, b, c, …: after confusables.txt of UTS 39. */
static const char lookalikes[] = "асеһіјӏорѕухԁԛԝѵѡгАВЕЅІЈКМНОРСТУХԚԜѴҮԌ" /* Cyrillic */
                                 "αγικνορυϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ" /* Greek */
                                 "օոսհցզյՕՍՏԼ" /* Armenian */;

static bool looks_latin(ucs4_t character)
{
    return u8_strchr((const uint8_t *)lookalikes, character) != NULL;
}

/* Returns the first letter where each letter passes for a Latin one, and none is, or 0. */
static ucs4_t find_lookalike(const struct characters *text)
{
    ucs4_t first = 0;
    for (size_t i = 0; i < text->count; i++) {
        if (!has_script(script_of(text->at[i])))
            continue;
        if (!looks_latin(text->at[i]))
            return 0;
        if (first == 0)
            first = text->at[i];
    }
    return first;
}

/* ---- direction */

static bool is_right_to_left(ucs4_t character)
{
    int category = uc_bidi_category(character);
    return category == UC_BIDI_R || category == UC_BIDI_AL || category == UC_BIDI_AN;
}

static bool may_stand(int category, bool right_to_left)
{
    switch (category) {
    case UC_BIDI_L: return !right_to_left;
    case UC_BIDI_R:
    case UC_BIDI_AL:
    case UC_BIDI_AN: return right_to_left;
    case UC_BIDI_EN:
    case UC_BIDI_ES:
    case UC_BIDI_CS:
    case UC_BIDI_ET:
    case UC_BIDI_ON:
    case UC_BIDI_BN:
    case UC_BIDI_NSM: return true;
    default: return false;
    }
}

static bool may_end(int category, bool right_to_left)
{
    return category == UC_BIDI_EN ||
           (right_to_left
                ? category == UC_BIDI_R || category == UC_BIDI_AL || category == UC_BIDI_AN
                : category == UC_BIDI_L);
}

/* The rules of RFC 5893 section 2, for a text that has a right-to-left character at all. Returns the first character
 * that breaks them, or 0. */
static ucs4_t find_misplaced(const struct characters *text)
{
    bool right_to_left = is_right_to_left(text->at[0]), european = false, arabic = false;
    size_t last = 0;

    for (size_t i = 0; i < text->count; i++) {
        int category = uc_bidi_category(text->at[i]);
        if (!may_stand(category, right_to_left))
            return text->at[i];
        european = european || category == UC_BIDI_EN;
        arabic = arabic || category == UC_BIDI_AN;
        if (european && arabic)
            return text->at[i];
        if (category != UC_BIDI_NSM)
            last = i;
    }
    return may_end(uc_bidi_category(text->at[last]), right_to_left) ? 0 : text->at[last];
}

/* ---- all of it */

static bool has_right_to_left(const struct characters *text)
{
    for (size_t i = 0; i < text->count; i++)
        if (is_right_to_left(text->at[i]))
            return true;
    return false;
}

static bool is_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] > 0x7f)
            return false;
    return true;
}

enum script_trick script_check(const char *text, size_t length, uint32_t *where)
{
    struct characters characters;

    *where = 0;
    if (is_ascii(text, length) || !read_characters(&characters, text, length))
        return SCRIPT_PLAIN;
    if ((*where = find_character(&characters, is_control)) != 0)
        return SCRIPT_CONTROL;
    if ((*where = find_character(&characters, is_invisible)) != 0)
        return SCRIPT_INVISIBLE;
    if ((*where = find_mixed(&characters)) != 0)
        return SCRIPT_MIXED;
    if ((*where = find_other_digit(&characters)) != 0)
        return SCRIPT_DIGITS;
    if (has_right_to_left(&characters) && (*where = find_misplaced(&characters)) != 0)
        return SCRIPT_DIRECTION;
    if ((*where = find_lookalike(&characters)) != 0)
        return SCRIPT_LOOKALIKE;
    return SCRIPT_PLAIN;
}

void script_name_character(char *out, size_t size, uint32_t character)
{
    char name[UNINAME_MAX];
    if (unicode_character_name(character, name) == NULL)
        name[0] = '\0';
    snprintf(out, size, "U+%04X%s%s", (unsigned)character, name[0] == '\0' ? "" : " ", name);
}
