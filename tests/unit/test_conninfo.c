/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "suites.h"

#ifdef HAVE_PGSQL

#include "follow/conninfo.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* libpq reads these too. */
static void forget_environment(void)
{
    char path[128];
    static const char *const names[] = {"PGHOST",    "PGHOSTADDR", "PGPORT",    "PGSSLMODE",
                                        "PGSERVICE", "PGPASSFILE", "PGDATABASE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    scratch_setup();
    snprintf(path, sizeof path, "%s/services", scratch);
    FILE *file = fopen(path, "w");
    fputs("[far]\nhost=db.example\n[safe]\nhost=db.example\nsslmode=verify-full\nport=7\n[here]\n"
          "host=/run/pg\n",
          file);
    fclose(file);
    setenv("PGSERVICEFILE", path, 1);
    setenv("PGGSSENCMODE", "invalid", 1); /* libpq then refuses each connection before it begins */
}

static const struct {
    const char *text, *environment, *value;
    const char *says; /* "host:hostaddr:port:dbname" of each host, or what the error has */
} texts[] = {
    {"host=/run/pg dbname=mail", NULL, NULL, "/run/pg::5432:mail"},
    {"dbname=mail", "PGHOST", "/run/other", "/run/other::5432:mail"},
    {"dbname=mail", "PGHOST", "db.example", "host 'db.example' is another one"},
    {"dbname=mail", "PGHOSTADDR", "192.0.2.1", "host '192.0.2.1' is another one"},
    {"host=localhost port=6 dbname=x", NULL, NULL, "localhost::6:x"},
    {"host=127.0.0.9 dbname=x", NULL, NULL, "127.0.0.9::5432:x"},
    {"host=::1 dbname=x", NULL, NULL, "::1::5432:x"},
    {"host=localhost hostaddr=192.0.2.1 dbname=x", NULL, NULL, "host '192.0.2.1' is another one"},
    {"host=db.example hostaddr=127.0.0.1 dbname=x", NULL, NULL, "db.example:127.0.0.1:5432:x"},
    {"host=db1,db2 port=5,6 dbname=x sslmode=verify-full", NULL, NULL, "db1::5:x db2::6:x"},
    {"host=db1,db2 port=5 dbname=x sslmode=verify-full", NULL, NULL, "db1::5:x db2::5:x"},
    {"host=/run/pg,db2 dbname=x", NULL, NULL, "host 'db2' is another one"},
    {"host=db1 dbname=x sslmode=require", NULL, NULL, "sslmode is 'require'"},
    {"host=db1 dbname=x sslmode=verify-ca", NULL, NULL, "sslmode is 'verify-ca'"},
    {"host=db1 dbname=x", "PGSSLMODE", "verify-full", "db1::5432:x"},
    {"postgresql://db.example/x", NULL, NULL, "host 'db.example' is another one"},
    {"postgresql://a@db1:5,db2:6/x?sslmode=verify-full", NULL, NULL, "db1::5:x db2::6:x"},
    {"postgresql:///x?host=/run/pg", NULL, NULL, "/run/pg::5432:x"},
    {"service=far dbname=x", NULL, NULL, "host 'db.example' is another one"},
    {"service=safe dbname=x", NULL, NULL, "db.example::7:x"},
    {"service=here dbname=x", NULL, NULL, "/run/pg::5432:x"},
    {"dbname=x", "PGSERVICE", "far", "host 'db.example' is another one"},
    {"service=none dbname=x", NULL, NULL, "definition of service \"none\" not found"},
    {"host=a,b hostaddr=127.0.0.1 dbname=x", NULL, NULL,
     "could not match 2 host names to 1 hostaddr values"},
    {"host=/a port=1,2 dbname=x", NULL, NULL, "could not match 2 port numbers to 1 hosts"},
    {"host=,/b port=1,2 dbname=x", NULL, NULL, "an empty part in host:"},
    {"host=/a,/b hostaddr=127.0.0.1, dbname=x", NULL, NULL, "an empty part in hostaddr:"},
    {"host=/a,/b port=,2 dbname=x", NULL, NULL, "an empty part in port:"},
    {"host=/a,/b dbname=x", "PGHOSTADDR", "", "/a::5432:x /b::5432:x"},
    {"host=/a dbname=x sslmode=ferify", NULL, NULL, "invalid sslmode value: \"ferify\""},
    {"host", NULL, NULL, "missing \"=\" after \"host\""},
    {"host=/a password=two words", NULL, NULL, "why is not shown"},
    {"postgresql://u:word@[db", NULL, NULL, "why is not shown"},
    {"hots=x", NULL, NULL, "invalid connection option \"hots\""},
};

/* Adds what libpq would use for this parameter, and what stands behind it. */
static void add(char *said, size_t size, PGconn *conn, const char *keyword, const char *behind)
{
    PQconninfoOption *options = PQconninfo(conn), *at = options;
    while (at->keyword != NULL && strcmp(at->keyword, keyword) != 0)
        at++;
    size_t used = strlen(said);
    snprintf(said + used, size - used, "%s%s", at->val == NULL ? "" : at->val, behind);
    PQconninfoFree(options);
}

START_TEST(a_connection_string_is_read_with_all_that_libpq_adds)
{
    char said[512] = "";
    struct error err = {.text = ""};
    if (texts[_i].environment != NULL)
        setenv(texts[_i].environment, texts[_i].value, 1);
    struct conninfo *info = conninfo_new("source.connect", texts[_i].text, "", &err);
    setenv("PGSERVICEFILE", "/nonexistent", 1); /* it is not read again */
    for (size_t i = 0; info != NULL && i < conninfo_hosts(info); i++) {
        PGconn *conn = conninfo_start(info, i, false);
        char service[64] = "";
        ck_assert_int_eq(PQstatus(conn), CONNECTION_BAD);
        add(service, sizeof service, conn, "service", "");
        ck_assert_str_eq(service, getenv("PGSERVICE") == NULL ? "" : getenv("PGSERVICE"));
        add(said, sizeof said, conn, "host", ":");
        add(said, sizeof said, conn, "hostaddr", ":");
        add(said, sizeof said, conn, "port", ":");
        add(said, sizeof said, conn, "dbname", i + 1 < conninfo_hosts(info) ? " " : "");
        PQfinish(conn);
    }
    if (info != NULL) {
        ck_assert_str_eq(said, texts[_i].says);
    } else {
        ck_assert_msg(strstr(err.text, texts[_i].says) != NULL, "%s: %s", texts[_i].text, err.text);
        ck_assert_int_eq(err.status, EX_CONFIG);
        ck_assert_int_eq(strncmp(err.text, "source.connect: ", 16), 0);
    }
    conninfo_free(info);
}
END_TEST

static const struct {
    const char *name;
    mode_t mode;
    int status;
} passfiles[] = {{"pgpass", 0600, 0},          {"pgpass", 0400, 0},
                 {"pgpass", 0640, EX_CONFIG},  {"pgpass", 0604, EX_CONFIG},
                 {"missing", 0600, EX_NOPERM}, {"", 0700, EX_CONFIG}};

START_TEST(a_password_file_is_for_its_user_alone)
{
    char path[128], said[512] = "";
    struct error err = {.text = ""};
    snprintf(path, sizeof path, "%s/pgpass", scratch);
    fclose(fopen(path, "w"));
    ck_assert_int_eq(chmod(path, passfiles[_i].mode), 0);
    snprintf(path, sizeof path, "%s/%s", scratch, passfiles[_i].name);
    struct conninfo *info = conninfo_new("source.connect", "host=/run/pg", path, &err);
    ck_assert_msg((info != NULL) == (passfiles[_i].status == 0), "%s", err.text);
    if (info != NULL) {
        PGconn *conn = conninfo_start(info, 0, false);
        add(said, sizeof said, conn, "passfile", "");
        ck_assert_str_eq(said, path);
        PQfinish(conn);
    } else {
        ck_assert_msg(err.status == passfiles[_i].status && strstr(err.text, path) != NULL, "%d %s",
                      err.status, err.text);
    }
    conninfo_free(info);
}
END_TEST

#define ROWS(rows) (int)(sizeof rows / sizeof *rows)
#endif

Suite *conninfo_suite(void)
{
    Suite *suite = suite_create("conninfo");
#ifdef HAVE_PGSQL
    TCase *tcase = tcase_create("conninfo");
    tcase_add_checked_fixture(tcase, forget_environment, scratch_teardown);
    tcase_add_loop_test(tcase, a_connection_string_is_read_with_all_that_libpq_adds, 0,
                        ROWS(texts));
    tcase_add_loop_test(tcase, a_password_file_is_for_its_user_alone, 0, ROWS(passfiles));
    suite_add_tcase(suite, tcase);
#endif
    return suite;
}
