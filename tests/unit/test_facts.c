/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "base/facts.h"

#include <stdlib.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *text, *filled;
} rows[] = {
    {"", ""},
    {"no fact", "no fact"},
    {"${maps}", "local_recipient_maps"},
    {"in ${maps}, ${map}.", "in local_recipient_maps, 2."},
    {"${maps}${maps}", "local_recipient_mapslocal_recipient_maps"},
    {"a hole: ${unknown}.", "a hole: ."},
    {"$maps {maps} ${map", "$maps {maps} ${map"},
    {"pipemap:{${map}, static:OK}", "pipemap:{2, static:OK}"},
};
START_TEST(each_fact_stands_in_its_place)
{
    struct facts facts = {0};
    fact_set(&facts, "maps", "%s", "relay_recipient_maps");
    fact_set(&facts, "map", "%d", 2);
    fact_set(&facts, "maps", "%s", "local_recipient_maps");
    char *filled = facts_fill(&facts, rows[_i].text);
    ck_assert_str_eq(filled, rows[_i].filled);
    free(filled);
    facts_clear(&facts);
}
END_TEST

Suite *facts_suite(void)
{
    Suite *suite = suite_create("facts");
    TCase *tests = tcase_create("facts");
    tcase_add_loop_test(tests, each_fact_stands_in_its_place, 0, ROWS(rows));
    suite_add_tcase(suite, tests);
    return suite;
}
