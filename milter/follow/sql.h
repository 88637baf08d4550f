/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/sql.h: the files *.sql beside this one, as the build puts them into sql.c. "@." stands for the schema. */
#ifndef FOLLOW_SQL_H
#define FOLLOW_SQL_H

extern const char sql_schema[], sql_head[], sql_delta[], sql_whole[], sql_rows[];

#endif
