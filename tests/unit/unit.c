/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "scratch.h"

#include <stdlib.h>

int main(void)
{
    Suite *(*const suites[])(void) = {
        network_suite,  address_suite,  reply_suite,     timestamp_suite, entry_suite,
        record_suite,   change_suite,   changelog_suite, table_suite,     damage_suite,
        conninfo_suite, csv_suite,      format_suite,    settings_suite,  limit_suite,
        answer_suite,   map_suite,      netstring_suite, mark_suite,      merge_suite,
        sort_suite,     envelope_suite, files_suite,     process_suite,   printable_suite,
        endpoint_suite, forward_suite,  io_suite,        facts_suite,     place_suite,
        cf_suite,       hits_suite,     siphash_suite,   state_suite,
    };
    setenv("CK_DEFAULT_TIMEOUT", "60", 0); /* seconds: other tests may run beside this */
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        srunner_add_suite(runner, suites[i]());
    scratch_begin();
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    scratch_end();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
