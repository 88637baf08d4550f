/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/unit/suites.h: every suite, one for each module. A new one is a row here, its file, and
 * a line in Makefile.am. */
#ifndef UNIT_SUITES_H
#define UNIT_SUITES_H

#include <check.h>

Suite *address_suite(void);
Suite *answer_suite(void);
Suite *change_suite(void);
Suite *changelog_suite(void);
Suite *conninfo_suite(void);
Suite *csv_suite(void);
Suite *damage_suite(void);
Suite *endpoint_suite(void);
Suite *entry_suite(void);
Suite *envelope_suite(void);
Suite *files_suite(void);
Suite *facts_suite(void);
Suite *format_suite(void);
Suite *forward_suite(void);
Suite *hits_suite(void);
Suite *io_suite(void);
Suite *limit_suite(void);
Suite *map_suite(void);
Suite *mark_suite(void);
Suite *merge_suite(void);
Suite *netstring_suite(void);
Suite *network_suite(void);
Suite *place_suite(void);
Suite *cf_suite(void);
Suite *printable_suite(void);
Suite *process_suite(void);
Suite *record_suite(void);
Suite *reply_suite(void);
Suite *settings_suite(void);
Suite *siphash_suite(void);
Suite *sort_suite(void);
Suite *state_suite(void);
Suite *table_suite(void);
Suite *timestamp_suite(void);

#endif
