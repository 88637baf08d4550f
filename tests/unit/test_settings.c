/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "answer/settings.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static char file[128];

static int read_text(struct settings **out, const char *text, struct error *err)
{
    snprintf(file, sizeof file, "%s/milter-moved.conf", scratch);
    FILE *to = fopen(file, "w");
    ck_assert_ptr_nonnull(to);
    fputs(text, to);
    fclose(to);
    return settings_read(out, file, err);
}

START_TEST(defaults)
{
    struct settings *settings = settings_new();
    ck_assert_ptr_nonnull(settings);
    ck_assert_str_eq(settings->socket, "unix:/run/milter-moved/milter.sock");
    ck_assert_uint_eq(settings->socket_mode, 0660);
    ck_assert_int_eq(settings->limit, 100);
    ck_assert_int_eq(settings->network_limit, 1000);
    ck_assert_int_eq(settings->period, 3600);
    ck_assert_uint_eq(settings->trusted_count, 2);
    ck_assert_int_eq(settings->log_facility, LOG_MAIL);
    ck_assert_int_eq(settings->log_level, LOG_INFO);
    ck_assert(settings->addresses.fold_case && settings->addresses.local_domain == NULL);
    ck_assert_str_eq(settings->texts.of[TEXT_MOVED],
                     "551 5.1.6 User not local; please try <${new}>");
    settings_free(settings);
}
END_TEST

START_TEST(every_key_is_read)
{
    struct settings *settings;
    struct error err;
    ck_assert_msg(
        read_text(
            &settings,
            "socket = \"inet6:9550@[::1]\"; socket_group = \"mail\"; socket_mode = \"0666\";\n"
            "table = \"/t\"; user = \"nobody\"; mode = \"observe\"; on_table_error = \"accept\";\n"
            "addresses: { fold_case = false; delimiters = \"+-\"; local_domain = \"Old.Example.\"; "
            "};\n"
            "replies: { moved = \"551 5.1.6 now <${new}>\"; withheld = \"550 5.1.6 w\"; gone = "
            "\"550 5.1.6 g\";\n"
            "  deferred = \"450 4.7.1 d\"; table_error = \"451 4.3.0 t\"; };\n"
            "disclosure: { default = \"trusted\"; trusted_networks = [ \"192.0.2.0/24\" ]; limit = "
            "0; period = 60;\n"
            "  trusted_domains = [ \"B\xc3\xbc"
            "cher.example.\" ]; network_limit = 9; total_limit = 8; ipv4_prefix = 24;\n"
            "  ipv6_prefix = 56; ipv4_network_prefix = 16; ipv6_network_prefix = 32; memory = 2;\n"
            "  over_limit = \"defer\"; };\n"
            "log: { target = \"stderr\"; facility = \"local7\"; level = \"debug\"; };\n"
            "lookup_socket = \"unix:/l\";\n"
            "hits: { enabled = false; flush_interval = 1; senders = 32; keep = 30; memory = 3; "
            "};\n",
            &err) == 0,
        "%s", err.text);
    ck_assert_str_eq(settings->socket, "inet6:9550@[::1]");
    ck_assert_uint_eq(settings->socket_mode, 0666);
    ck_assert_int_eq(settings->mode, MODE_OBSERVE);
    ck_assert_int_eq(settings->on_table_error, TABLE_ERROR_ACCEPT);
    ck_assert_str_eq(settings->addresses.local_domain, "old.example");
    ck_assert_str_eq(settings->addresses.delimiters, "+-");
    ck_assert(!settings->addresses.fold_case);
    ck_assert_int_eq(settings->disclose, 1);
    ck_assert_uint_eq(settings->trusted_count, 1);
    ck_assert_int_eq(settings->over_limit, OVER_LIMIT_DEFER);
    ck_assert_str_eq(settings->trusted_domains.items[0], "xn--bcher-kva.example");
    ck_assert_uint_eq(settings->limits.client.most, 0);
    ck_assert_uint_eq(settings->limits.network.most, 9);
    ck_assert_uint_eq(settings->limits.everyone, 8);
    ck_assert_uint_eq(settings->limits.client.ipv4_prefix, 24);
    ck_assert_uint_eq(settings->limits.client.ipv6_prefix, 56);
    ck_assert_uint_eq(settings->limits.network.ipv4_prefix, 16);
    ck_assert_uint_eq(settings->limits.network.ipv6_prefix, 32);
    ck_assert_uint_eq(settings->limits.memory, 2 << 20);
    ck_assert_uint_eq(settings->limits.period, 60);
    ck_assert_int_eq(settings->log_facility, LOG_LOCAL7);
    ck_assert_int_eq(settings->log_target, LOG_TARGET_STDERR);
    ck_assert(!settings->hits && settings->hits_interval == 1 && settings->hits_senders == 32 &&
              settings->hits_keep == 30 && settings->hits_memory == 3);
    settings_free(settings);
}
END_TEST

static const struct {
    const char *why, *text;
    unsigned line;
    const char *key;
} bad[] = {
    {"unknown key", "\nsokcet = \"unix:/x\";\n", 2, "sokcet: unknown key: did you mean socket?"},
    {"unknown key in a group with a near one", "disclosure: { limti = 1; };\n", 1,
     "disclosure.limti: unknown key: did you mean disclosure.limit?"},
    {"key of another group", "limit = 1;\n", 1,
     "limit: unknown key: did you mean disclosure.limit?"},
    {"group with a typing error", "disclosre: { limit = 1; };\n", 1,
     "disclosre: unknown key: did you mean disclosure?"},
    {"key that is near none", "weather = 1;\n", 1,
     "weather: unknown key: see milter-moved.conf(5)"},
    {"unknown key in a group", "log: {\n  colour = true;\n};\n", 2, "log.colour"},
    {"unknown group", "logs: { level = \"info\"; };\n", 1, "logs"},
    {"group as a value", "log = 1;\n", 1, "log"},
    {"number for a string", "\n\ntable = 1;\n", 3, "table"},
    {"string for a number", "disclosure: { limit = \"100\"; };\n", 1, "disclosure.limit"},
    {"string for a bool", "addresses: { fold_case = \"yes\"; };\n", 1, "addresses.fold_case"},
    {"string for a list", "disclosure: { trusted_networks = \"::1\"; };\n", 1,
     "disclosure.trusted_networks"},
    {"numbers in a list", "disclosure: { trusted_networks = [ 1 ]; };\n", 1,
     "disclosure.trusted_networks"},
    {"float for a number", "disclosure: { limit = 1.5; };\n", 1, "disclosure.limit"},
    {"below the range", "disclosure: { limit = -1; };\n", 1, "disclosure.limit"},
    {"above the range", "disclosure: { period = 99999999999L; };\n", 1, "disclosure.period"},
    {"1 and 32 bits more", "disclosure: { period = 4294967297; };\n", 1, "disclosure.period"},
    {"no limit and 32 bits more",
     "disclosure:\n{\n  over_limit = \"defer\";\n  limit:4294967296;\n};\n", 4, "disclosure.limit"},
    {"hexadecimal", "disclosure: { limit = 0x100000010; };\n", 1, "disclosure.limit"},
    {"over 64 bits", "disclosure: { limit = 18446744073709551616; };\n", 1, "disclosure.limit"},
    {"below the range by 32 bits", "disclosure: { limit = -4294967286; };\n", 1,
     "disclosure.limit"},
    {"no such choice", "mode = \"off\";\n", 1, "mode"},
    {"a reply with a line break",
     "\nreplies: {\n  moved = \"551 5.1.6 <${new}>\\r\\n250 2.0.0 ok\"; };\n", 3, "replies.moved"},
    {"a 2yz code", "replies: { moved = \"251 2.1.6 <${new}>\"; };\n", 1, "replies.moved"},
    {"codes that disagree", "replies: { gone = \"550 4.1.6 x\"; };\n", 1, "replies.gone"},
    {"421", "replies: { deferred = \"421 4.7.1 x\"; };\n", 1, "replies.deferred"},
    {"421 where it is gone", "replies: { gone = \"421 5.1.6 x\"; };\n", 1, "replies.gone"},
    {"4yz for moved", "replies: { moved = \"451 4.1.6 <${new}>\"; };\n", 1, "replies.moved"},
    {"2yz for a failure", "replies: { table_error = \"250 2.0.0 ok\"; };\n", 1,
     "replies.table_error"},
    {"5yz for deferred", "replies: { deferred = \"550 5.7.1 x\"; };\n", 1, "replies.deferred"},
    {"no enhanced code", "replies: { moved = \"551 please try <${new}>\"; };\n", 1,
     "replies.moved"},
    {"another variable", "replies: { moved = \"551 5.1.6 ${new} ${user}\"; };\n", 1,
     "replies.moved"},
    {"8 bits", "replies: { gone = \"550 5.1.6 J\xc3\xb6rg\"; };\n", 1, "replies.gone"},
    {"a line feed as it is", "replies: { gone = \"550 5.1.6 a\nb\"; };\n", 1, "the string that"},
    {"5yz for a failure", "replies: { table_error = \"550 5.3.0 x\"; };\n", 1,
     "replies.table_error"},
    {"no ${new}", "replies: { moved = \"551 5.1.6 gone\"; };\n", 1, "replies.moved"},
    {"${new} where it is withheld", "replies: { withheld = \"550 5.1.6 not ${new}\"; };\n", 1,
     "replies.withheld"},
    {"an empty list of lines", "replies: { moved = []; };\n", 1, "replies.moved"},
    {"a number among lines", "replies: { gone = ( \"550 5.1.6 g\", 1 ); };\n", 1, "replies.gone"},
    {"a line feed in a line", "replies: { gone = [ \"550 5.1.6 g\\nh\" ]; };\n", 1, "replies.gone"},
    {"codes in the second line", "replies: { gone = [ \"550 5.1.6 g\", \"550 5.1.6 h\" ]; };\n", 1,
     "replies.gone"},
    {"a domain's bad reply",
     "replies: {\n by_domain = ( { domain = \"x.example\"; moved = \"551 5.1.6 x\"; } ); };\n", 2,
     "replies.by_domain: x.example: moved"},
    {"a domain's ${new} where it is withheld",
     "replies: { by_domain = ( { domain = \"x\"; gone = \"550 5.1.6 ${new}\"; } ); };\n", 1,
     "replies.by_domain: x: gone"},
    {"no domain", "replies: { by_domain = ( { gone = \"550 5.1.6 g\"; } ); };\n", 1,
     "replies.by_domain"},
    {"no domain name", "replies: { by_domain = ( { domain = \"a b\"; } ); };\n", 1,
     "replies.by_domain"},
    {"a domain twice",
     "replies: { by_domain = ( { domain = \"X.example.\"; }, { domain = \"x.example\"; } ); };\n",
     1, "replies.by_domain: x.example"},
    {"an unknown key of a domain",
     "replies: { by_domain = (\n{ domain = \"x\";\n move = \"551\"; } ); };\n", 3, "move"},
    {"a number for a domain's reply",
     "replies: { by_domain = (\n{ domain = \"x\";\n moved = 551; } ); };\n", 3, "moved"},
    {"one group for the list", "replies: { by_domain: { domain = \"x\"; }; };\n", 1,
     "replies.by_domain"},
    {"a string for a group", "replies: { by_domain = ( \"x\" ); };\n", 1, "replies.by_domain"},
    {"no host", "socket = \"inet:9550\";\n", 1, "socket"},
    {"no port", "socket = \"inet:x@127.0.0.1\";\n", 1, "socket"},
    {"another host", "socket = \"inet:9550@192.0.2.1\";\n", 1, "socket"},
    {"every host", "socket = \"inet:9550@0.0.0.0\";\n", 1, "socket"},
    {"every host of IPv6", "socket = \"inet6:9550@[::]\";\n", 1, "socket"},
    {"another host of IPv6", "socket = \"inet6:9550@[2001:db8::1]\";\n", 1, "socket"},
    {"no such port", "socket = \"inet:65536@127.0.0.1\";\n", 1, "socket"},
    {"port 0", "socket = \"inet:0@127.0.0.1\";\n", 1, "socket"},
    {"an empty host", "socket = \"inet:9550@\";\n", 1, "socket"},
    {"IPv6 with inet", "socket = \"inet:9550@[::1]\";\n", 1, "socket"},
    {"IPv4 with inet6", "socket = \"inet6:9550@127.0.0.1\";\n", 1, "socket"},
    {"no scheme", "socket = \"/run/x\";\n", 1, "socket"},
    {"no absolute path", "socket = \"unix:x\";\n", 1, "socket"},
    {"one place for both sockets", "socket = \"unix:/s\";\nlookup_socket = \"unix:/s\";\n", 2,
     "lookup_socket: 'unix:/s': socket has the same path: write another"},
    {"lookup over TCP", "lookup_socket = \"inet:1@127.0.0.1\";\n", 1, "lookup_socket"},
    {"no mode", "socket_mode = \"rw\";\n", 1, "socket_mode"},
    {"no IP address", "disclosure: { trusted_networks = [ \"300.1.2.3\" ]; };\n", 1,
     "disclosure.trusted_networks"},
    {"too long a prefix", "disclosure: { trusted_networks = [ \"::1\", \"10.0.0.0/33\" ]; };\n", 1,
     "disclosure.trusted_networks"},
    {"no network", "disclosure: { trusted_networks = [ \"192.0.2.1/24\" ]; };\n", 1,
     "disclosure.trusted_networks"},
    {"a trusted domain that is none", "disclosure: { trusted_domains = [ \"a b\" ]; };\n", 1,
     "disclosure.trusted_domains"},
    {"a network within a client",
     "disclosure:\n{\n  ipv4_network_prefix = 25; ipv4_prefix = 24; };\n", 3,
     "disclosure.ipv4_network_prefix"},
    {"a network within a client of IPv6",
     "disclosure:\n{\n  ipv6_prefix = 64;\n  ipv6_network_prefix = 65; };\n", 4,
     "disclosure.ipv6_network_prefix"},
    {"a longer prefix than there is", "disclosure: { ipv4_prefix = 33; };\n", 1,
     "disclosure.ipv4_prefix"},
    {"no memory", "disclosure: { memory = 0; };\n", 1, "disclosure.memory"},
    {"no domain", "addresses: { local_domain = \"a b\"; };\n", 1, "addresses.local_domain"},
    {"a bad delimiter", "addresses: { delimiters = \"@\"; };\n", 1, "addresses.delimiters"},
    {"a relative table", "table = \"t\";\n", 1, "table"},
    {"bad syntax", "mode = ;\n", 1, "syntax error"},
    {"a key twice", "mode = \"enforce\";\nmode = \"observe\";\n", 2,
     "mode: is set in line 1 already"},
    {"a key twice in a group", "log: { level = \"info\";\n\n level = \"debug\"; };\n", 3,
     "level: is set in line 1 already"},
    {"a group twice", "log: { };\n/* { */\nlog = { };\n", 3, "log: is set in line 1 already"},
    {"a string without an end", "mode = \"enforce;\nuser = \"x\";\n", 1,
     "the string that begins in this line has no end"},
    {"a string up to the end of the file", "\nmode = \"enforce\\\"", 2, "the string that begins"},
    {"a comment without an end", "mode = \"enforce\";\n/* x\nuser = 1;\n", 2,
     "the comment that begins in this line has no end"},
    {"a group without an end", "\nlog: {\n level = \"info\";\n", 2, "the '{' here is never closed"},
    {"a list without an end", "disclosure: {\n trusted_networks = [ \"::1\";\n};\n", 3,
     "'}' cannot close the '[' of line 2"},
    {"a bracket too many", "log: { }; }\n", 1, "'}' closes nothing"},
    {"deep groups",
     "a = {a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a="
     "{a={a={a={a={a={a={a={a=\n",
     1, "groups and lists within"},
    {"values of two types", "disclosure: { trusted_networks = [ \"::1\",\n 1 ]; };\n", 2,
     "mismatched"},
    {"UTF-16", "\xff\xfem", 1, "is UTF-16"},
    {"an @ in the middle", "mode = @include \"x\";\n", 1, "'@' that begins no include"},
    {"an include without an end", "\n @include \"x\n", 2, "@include: the path has no end"},
    {"a missing include", "\n@include \"no.conf\"\n", 2, "@include: /tmp/"},
    {"an include of a folder", "@include \"/tmp\"\n", 1, "@include: /tmp: not a regular file"},
    {"an include of itself", "@include \"milter-moved.conf\"\n", 1, "@include: deeper than"},
    {"out of range on a line of its own", "disclosure:\n{\n  limit =\n    4294967296;\n};\n", 3,
     "disclosure.limit: 4294967296 is out of range: write 0 to 1000000 addresses"},
    {"behind a comment", "disclosure: { limit = /* 5 */\n# x\n4294967301; };\n", 1,
     "disclosure.limit: 4294967301 is"},
    {"behind a comment with quotes", "/* \" */ disclosure: { limit = // \"\n4294967301; };\n", 1,
     "disclosure.limit: 4294967301 is"},
    {"behind a string with a comment", "user = \"/*\"; disclosure: { limit = 4294967301; };\n", 1,
     "disclosure.limit: 4294967301 is"},
    {"the second of two", "disclosure: { total_limit = 1; limit = 4294967301; };\n", 1,
     "disclosure.limit: 4294967301 is"},
    {"the first of two", "disclosure: { limit = 4294967301; total_limit = 1; };\n", 1,
     "disclosure.limit: 4294967301 is"},
    {"no blank and no semicolon", "disclosure:{limit=4294967301 period=60}", 1,
     "disclosure.limit: 4294967301 is"},
    {"no blank behind", "disclosure:{limit=4294967301period=60}", 1,
     "disclosure.limit: 4294967301 is"},
    {"hexadecimal with 32 bits", "disclosure: { limit = 0xFFFFFFFF; };\n", 1,
     "disclosure.limit: 4294967295 is"},
    {"hexadecimal with over 64 bits", "disclosure: { limit = 0X10000000000000005; };\n", 1,
     "disclosure.limit: -1 is"},
    {"hexadecimal with over 64 bits and an L", "disclosure: { limit = 0x10000000000000005L; };\n",
     1, "disclosure.limit: -1 is"},
    {"a sign", "disclosure: { limit = +4294967301; };\n", 1, "disclosure.limit: 4294967301 is"},
    {"one above an int", "disclosure: { limit = 2147483648; };\n", 1,
     "disclosure.limit: 2147483648 is"},
    {"an int that is above the key's range", "disclosure: { limit = 2147483647; };\n", 1,
     "disclosure.limit: 2147483647 is"},
};
START_TEST(bad_input_names_file_line_and_key)
{
    char where[160];
    struct settings *settings = NULL;
    struct error err = {.status = 0};
    ck_assert_msg(read_text(&settings, bad[_i].text, &err) == -1, "%s", bad[_i].why);
    ck_assert_ptr_null(settings);
    ck_assert_int_eq(err.status, EX_CONFIG);
    snprintf(where, sizeof where, "%s:%u: %s", file, bad[_i].line, bad[_i].key);
    ck_assert_msg(strncmp(err.text, where, strlen(where)) == 0, "%s: %s", bad[_i].why, err.text);
    ck_assert_msg(strstr(err.text, "write ") != NULL || strstr(err.text, "see ") != NULL, "%s: %s",
                  bad[_i].why, err.text);
}
END_TEST

static void write_file(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *to = fopen(path, "w");
    ck_assert_ptr_nonnull(to);
    fputs(text, to);
    fclose(to);
}

/* What looks like a fault and is none. */
static const struct {
    const char *why, *text;
    int limit;
} good[] = {
    {"a byte order mark",
     "\xef\xbb\xbf"
     "disclosure: { limit = 7; };",
     7},
    {"no line feed behind the last comment", "disclosure: { limit = 7; }; # 4294967301", 7},
    {"settings in comments",
     "# disclosure: { limit = 4294967301;\n// limit = 4294967301 /*\n/* limit = 4294967301;\n"
     "mode = \"x\" \" */ disclosure: { limit = 7; }; /**/",
     7},
    {"a setting in a string",
     "user = \"limit = 4294967301; /* { \\\" @include # \"; disclosure: { limit = 7 }", 7},
    {"a backslash at the end of a string", "user = \"x\\\\\"; disclosure: { limit = 7 }", 7},
    {"a long fraction",
     "source: { a = 4294967301.5; b = -.5e99999999999; c = 99999999999e1; };"
     "disclosure: { limit = 7; };",
     7},
    {"the same key in two groups",
     "hits: { memory = 3; }; disclosure: { memory = 3; limit = 7; };"
     "source: { x = ( { x = 1; }, { x = 2; } ); };",
     7},
    {"a key in a group, and behind it",
     "source: { mode = 1; }; mode = \"observe\"; disclosure: { limit = 7; };", 7},
    {"hexadecimal in range", "disclosure: { limit = 0xF; };", 15},
    {"a long number in range", "disclosure: { limit = 7L; };", 7},
    {"zeros in front", "disclosure: { limit = 0x000000000000000000007; };", 7},
    {"returns and form feeds", "disclosure:\r\n{\r\n\flimit = 7;\r\n};\r\n", 7},
    {"an included file", "@include \"part.inc\" # {\nmode = \"observe\";", 9},
    {"an include in a comment", "/*\n@include \"none\"\n*/ disclosure: { limit = 7; };", 7},
};
/* The daemon ignores the group source: whatever it holds has to be good syntax alone. */
static int read_for_daemon(struct settings **out, const char *text, struct error *err)
{
    snprintf(file, sizeof file, "%s/milter-moved.conf", scratch);
    write_file("milter-moved.conf", text);
    return settings_read_for_daemon(out, file, err);
}

START_TEST(what_looks_like_a_fault_and_is_none_is_read)
{
    struct settings *settings;
    struct error err;
    write_file("part.inc", "\xef\xbb\xbf"
                           "disclosure: {\n limit = 9;\n};");
    ck_assert_msg(read_for_daemon(&settings, good[_i].text, &err) == 0, "%s: %s", good[_i].why,
                  err.text);
    ck_assert_msg(settings->limit == good[_i].limit, "%s: %d", good[_i].why, settings->limit);
    settings_free(settings);
}
END_TEST

/* A fault in an included file is named with that file and its line, and so is one behind it. */
static const struct {
    const char *inner, *outer, *error;
} included[] = {
    {"\n\nmode = 1;", "@include \"part.inc\"\n", "part.inc:3: mode: wrong type"},
    {"\ndisclosure: { limit =\n4294967301; };", "\n@include \"part.inc\"\n",
     "part.inc:2: disclosure.limit: 4294967301 is out of range"},
    {"limit = \n4294967301;", "disclosure: {\n@include \"part.inc\"\n};",
     "part.inc:1: disclosure.limit: 4294967301 is out of range"},
    {"mode = \"enforce\";", "@include \"part.inc\"\nmode = \"observe\";",
     "milter-moved.conf:2: mode: is set in "},
    {"user = \"x\";", "\n@include \"part.inc\"\n\nmode = 1;", "milter-moved.conf:4: mode: wrong"},
    {"user = \"x\";\n", "@include \"part.inc\" mode = 1;", "milter-moved.conf:1: mode: wrong"},
    {"user = \"x;\n", "@include \"part.inc\"", "part.inc:1: the string"},
    {"/* x", "@include \"part.inc\"\n*/", "part.inc:1: the comment"},
    {"log: {", "@include \"part.inc\"", "part.inc:1: the '{' here is never closed"},
    {"\ntable = \"x\";", "@include \"part.inc\"", "part.inc:2: table: 'x' is no absolute path"},
    {"@include \"none.inc\"", "\n@include \"part.inc\"", "part.inc:1: @include: "},
};
START_TEST(a_fault_in_an_included_file_is_named_there)
{
    struct settings *settings;
    struct error err;
    write_file("part.inc", included[_i].inner);
    ck_assert_int_eq(read_text(&settings, included[_i].outer, &err), -1);
    ck_assert_int_eq(err.status, EX_CONFIG);
    ck_assert_msg(strncmp(err.text, scratch, strlen(scratch)) == 0 &&
                      strncmp(err.text + strlen(scratch) + 1, included[_i].error,
                              strlen(included[_i].error)) == 0,
                  "%s: not %s", err.text, included[_i].error);
}
END_TEST

static int read_with_parts(struct settings **out, const char *a, const char *b, struct error *err)
{
    char folder[160];
    snprintf(folder, sizeof folder, "%s/milter-moved.conf.d", scratch);
    ck_assert_int_eq(mkdir(folder, 0755), 0);
    write_file("milter-moved.conf.d/10-a.conf", a);
    write_file("milter-moved.conf.d/9-b.conf", b);
    write_file("milter-moved.conf.d/.hidden.conf", "no");
    write_file("milter-moved.conf.d/.conf", "no");
    write_file("milter-moved.conf.d/10-a.conf~", "no");
    write_file("milter-moved.conf.d/10-a.conf.dpkg-old", "no");
    return read_text(out, "user = \"main\"; disclosure: { limit = 1; period = 1; memory = 1; };",
                     err);
}

static const struct {
    const char *text, *shown;
} connects[] = {
    {"", ""},
    {"host=/run/pg user=u passfile=/p", "host=/run/pg user=u passfile=/p"},
    {"password=secret host=/run/pg", "password=***"},
    {"user=u password=se cret host=a", "user=u password=***"},
    {"host=a password = 'it\\'s \\\\ secret' user=u", "host=a password =***"},
    {"user=password host=a sslpassword=other", "user=password host=a sslpassword=***"},
    {"password=x", "password=*"},
    {"password=", "password="},
    {"postgresql://u@db/x", "postgresql://u@db/x"},
    {"postgresql://u:secret@db:5432/x", "postgresql://u:***@db:5432/x"},
    {"postgres://u:se@cr/et@db/x", "postgres://u:***@db/x"},
    {"postgresql://db:5432/x?user=a@b", "postgresql://db:5432/x?user=a@b"},
    {"postgresql:///x?password=a%20b&user=u", "postgresql:///x?password=***"},
};
START_TEST(no_password_of_a_connection_string_is_shown)
{
    char text[100];
    snprintf(text, sizeof text, "%s", connects[_i].text);
    settings_hide_passwords(text);
    ck_assert_str_eq(text, connects[_i].shown);
}
END_TEST

START_TEST(the_last_file_that_sets_a_key_wins)
{
    struct settings *settings;
    struct error err;
    ck_assert_msg(read_with_parts(&settings, "disclosure: { limit = 2; period = 2; };",
                                  "disclosure: { limit = 3; };", &err) == 0,
                  "%s", err.text);
    ck_assert_int_eq(settings->limit, 3);
    ck_assert_int_eq(settings->period, 2);
    ck_assert_int_eq(settings->memory, 1);
    ck_assert_str_eq(settings->user, "main");
    ck_assert_uint_eq(settings->files.count, 3);
    ck_assert_ptr_nonnull(strstr(settings->files.items[0], "/milter-moved.conf"));
    ck_assert_ptr_nonnull(strstr(settings->files.items[1], "/milter-moved.conf.d/10-a.conf"));
    ck_assert_ptr_nonnull(strstr(settings->files.items[2], "/milter-moved.conf.d/9-b.conf"));
    settings_free(settings);
}
END_TEST

/* Also a fault that only the whole shows, such as a prefix that contradicts another file's. */
static const struct {
    const char *a, *b, *error;
} bad_parts[] = {
    {"", "\nmode = 1;", "9-b.conf:2: mode: wrong type"},
    {"\n\ntable = \"x\";", "", "10-a.conf:3: table: 'x'"},
    {"table = \"/x\";", "\ntable = \"x\";", "9-b.conf:2: table: 'x'"},
    {"\ndisclosure: { ipv4_network_prefix = 20; };", "disclosure: { ipv4_prefix = 16; };",
     "10-a.conf:2: disclosure.ipv4_network_prefix"},
    {"mode = ", "", "10-a.conf:1: syntax error"},
    {"@include \"none\"", "", "10-a.conf:1: @include: "},
};
START_TEST(a_fault_in_a_part_is_named_there)
{
    char where[160];
    struct settings *settings;
    struct error err;
    ck_assert_int_eq(read_with_parts(&settings, bad_parts[_i].a, bad_parts[_i].b, &err), -1);
    ck_assert_int_eq(err.status, EX_CONFIG);
    snprintf(where, sizeof where, "%s/milter-moved.conf.d/%s", scratch, bad_parts[_i].error);
    ck_assert_msg(strncmp(err.text, where, strlen(where)) == 0, "%s: not %s", err.text, where);
}
END_TEST

START_TEST(a_part_that_cannot_be_read_is_an_error)
{
    char path[160];
    struct settings *settings;
    struct error err;
    snprintf(path, sizeof path, "%s/milter-moved.conf.d", scratch);
    ck_assert_int_eq(symlink("none", path), 0);
    ck_assert_int_eq(read_text(&settings, "", &err), 0); /* a link to nothing: no folder */
    settings_free(settings);
    ck_assert_int_eq(unlink(path), 0);
    write_file("milter-moved.conf.d", "");
    ck_assert_int_eq(read_text(&settings, "", &err), -1);
    ck_assert_int_eq(err.status, EX_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "milter-moved.conf.d: Not a directory: "));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    strcat(path, "/x.conf");
    ck_assert_int_eq(symlink("none", path), 0);
    ck_assert_int_eq(read_text(&settings, "", &err), -1);
    ck_assert_int_eq(err.status, EX_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "milter-moved.conf.d/x.conf: No such file"));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    ck_assert_int_eq(read_text(&settings, "", &err), -1);
    ck_assert_int_eq(err.status, EX_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "milter-moved.conf.d/x.conf: not a regular file"));
}
END_TEST

START_TEST(a_nul_byte_is_named)
{
    struct settings *settings;
    struct error err;
    snprintf(file, sizeof file, "%s/milter-moved.conf", scratch);
    FILE *to = fopen(file, "w");
    fwrite("\n\nmode\0", 1, 7, to);
    fclose(to);
    ck_assert_int_eq(settings_read(&settings, file, &err), -1);
    ck_assert_int_eq(err.status, EX_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "milter-moved.conf:3: a NUL byte: "));
}
END_TEST

START_TEST(the_environment_names_the_file)
{
    bool is_default;
    const char *built_in = settings_path(NULL, &is_default);
    ck_assert(is_default);
    ck_assert_int_eq(setenv("MILTER_MOVED_CONF", "/x", 1), 0);
    ck_assert_str_eq(settings_path(NULL, &is_default), "/x");
    ck_assert(!is_default);
    ck_assert_str_eq(settings_path("/y", &is_default), "/y");
    ck_assert(!is_default);
    ck_assert_int_eq(setenv("MILTER_MOVED_CONF", "", 1), 0);
    ck_assert_str_eq(settings_path(NULL, &is_default), built_in);
    ck_assert(is_default);
    ck_assert_int_eq(unsetenv("MILTER_MOVED_CONF"), 0);
}
END_TEST

/* A reply that would end the session, or be taken for the other class, is none. */
static const struct {
    const char *name, *good, *right;
} classes[] = {
    {"moved", "551 5.1.6", " ${new}"}, {"withheld", "550 5.1.6", ""},
    {"gone", "550 5.1.6", ""},         {"unknown", "550 5.1.1", ""},
    {"deferred", "450 4.7.1", ""},     {"table_error", "451 4.3.0", ""},
};
START_TEST(the_class_of_each_reply_is_fixed)
{
    static const char *const codes[] = {"421 4.7.0", "421 5.7.0", "450 4.7.1", "451 4.3.0",
                                        "550 5.1.6", "551 5.1.6", "250 2.1.5", "251 2.1.5",
                                        "354 3.0.0", "650 6.0.0"};
    char text[256];
    struct settings *settings;
    struct error err;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        bool fits = codes[i][0] == classes[_i].good[0] && strncmp(codes[i], "421", 3) != 0;
        for (int of_domain = 0; of_domain < 2; of_domain++) {
            snprintf(text, sizeof text, "replies: { %s%s = \"%s x%s\"; %s };",
                     of_domain ? "by_domain = ( { domain = \"x\"; " : "", classes[_i].name,
                     codes[i], classes[_i].right, of_domain ? "} );" : "");
            int rc = read_text(&settings, text, &err);
            ck_assert_msg(rc == (fits ? 0 : -1), "%s", text);
            if (rc == 0)
                settings_free(settings);
            else
                ck_assert_int_eq(err.status, EX_CONFIG);
        }
    }
}
END_TEST

START_TEST(remote_clients_want_a_word)
{
    struct settings *settings;
    struct error err;
    ck_assert_int_eq(
        read_text(&settings, "socket = \"inet:9550@192.0.2.1\"; allow_remote = true;", &err), 0);
    settings_free(settings);
    ck_assert_int_eq(read_text(&settings, "socket = \"inet:9550@localhost\";", &err), 0);
    settings_free(settings);
}
END_TEST

static void refused(const char *path, int status, const char *words)
{
    struct settings *settings;
    struct error err;
    ck_assert_int_eq(settings_read(&settings, path, &err), -1);
    ck_assert_int_eq(err.status, status);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
}

/* Whether it is named, included, or in the folder FILE.d. */
static void refused_anywhere(const char *path)
{
    char part[160];
    struct settings *settings;
    struct error err;
    refused(path, EX_CONFIG, "not a regular file: write the path of a configuration file");
    snprintf(part, sizeof part, "@include \"%s\"", path);
    ck_assert_int_eq(read_text(&settings, part, &err), -1);
    refused(file, EX_CONFIG, ":1: @include: ");
    ck_assert_int_eq(read_text(&settings, "", &err), 0);
    settings_free(settings);
    snprintf(part, sizeof part, "%s.d/x.conf", file);
    ck_assert_int_eq(symlink(path, part), 0);
    refused(file, EX_CONFIG, "milter-moved.conf.d/x.conf: not a regular file");
    ck_assert_int_eq(unlink(part), 0);
}

START_TEST(what_is_no_file_is_refused_at_once)
{
    char path[128];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct settings *settings;
    struct error err;
    refused("/nonexistent/x.conf", EX_NOINPUT, "No such file");
    refused("/dev/null/x.conf", EX_NOINPUT, "Not a directory");
    snprintf(path, sizeof path, "%s/milter-moved.conf.d", scratch);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    refused_anywhere(scratch);
    refused_anywhere("/dev/zero");
    snprintf(path, sizeof path, "%s/fifo", scratch);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    refused_anywhere(path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", scratch);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    refused_anywhere(address.sun_path);
    ck_assert_msg(settings_read(&settings, "/dev/null", &err) == 0, "%s", err.text);
    settings_free(settings);
}
END_TEST

static int warnings;

static void count_warning(const char *line)
{
    (void)line;
    warnings++;
}

START_TEST(a_text_that_programs_cannot_read_is_warned_of)
{
    struct settings *settings;
    struct error err;
    warnings = 0;
    ck_assert_int_eq(
        read_text(&settings, "replies: { moved = \"551 5.1.6 now at ${new}\"; };", &err), 0);
    settings_warn(settings, count_warning);
    ck_assert_int_eq(warnings, 1);
    settings_free(settings);
    ck_assert_int_eq(
        read_text(&settings, "disclosure: { conceal = true; over_limit = \"defer\"; };", &err), 0);
    ck_assert(settings->conceal);
    settings_warn(settings, count_warning);
    ck_assert_int_eq(warnings, 2);
    settings_free(settings);
    ck_assert_int_eq(read_text(&settings,
                               "disclosure: { conceal = true; over_limit = \"defer\"; limit = 0; "
                               "total_limit = 1; };",
                               &err),
                     0);
    settings_warn(settings, count_warning);
    ck_assert_int_eq(warnings, 3);
    settings_free(settings);
}
END_TEST

static const struct texts *texts_of(const struct settings *settings, const char *domain)
{
    return texts_find(&settings->texts, &settings->texts_by_domain, domain);
}

START_TEST(a_domain_has_its_own_texts_and_else_those_of_its_parent_or_all)
{
    struct settings *settings;
    struct error err;
    ck_assert_msg(
        read_text(&settings,
                  "replies: { gone = \"550 5.1.6 gone\"; by_domain = (\n"
                  "  { domain = \"old.example\"; moved = [ \"551 5.1.6 please try <${new}>\", "
                  "\"See https://old.example/\" ]; },\n"
                  "  { domain = \".old.example\"; gone = \"550 5.1.6 sub\"; },\n"
                  "  { domain = \".B.old.example\"; gone = \"550 5.1.6 b\"; },\n"
                  "  { domain = \"b\xc3\xbc"
                  "cher.example\"; gone = \"550 5.1.6 weg\"; } ); };",
                  &err) == 0,
        "%s", err.text);
    const struct texts *old = texts_of(settings, "old.example");
    ck_assert_str_eq(old->of[TEXT_MOVED],
                     "551 5.1.6 please try <${new}>\nSee https://old.example/");
    ck_assert_str_eq(old->of[TEXT_GONE], "550 5.1.6 gone");
    ck_assert_str_eq(texts_of(settings, "a.old.example")->of[TEXT_GONE], "550 5.1.6 sub");
    ck_assert_str_eq(texts_of(settings, "b.old.example")->of[TEXT_GONE], "550 5.1.6 sub");
    ck_assert_str_eq(texts_of(settings, "a.b.old.example")->of[TEXT_GONE], "550 5.1.6 b");
    ck_assert_str_eq(texts_of(settings, "xn--bcher-kva.example")->of[TEXT_GONE], "550 5.1.6 weg");
    ck_assert_ptr_eq(texts_of(settings, "older.example"), &settings->texts);
    ck_assert_ptr_eq(texts_of(settings, "example"), &settings->texts);
    ck_assert_ptr_eq(texts_of(settings, "[192.0.2.1]"), &settings->texts);
    settings_free(settings);
}
END_TEST

/* Programs find the new address behind "please try <" in the first line. */
static const struct {
    const char *text;
    int warnings;
} hidden[] = {
    {"moved = [ \"551 5.1.6 please try <${new}>\", \"moved\" ]", 0},
    {"moved = [ \"551 5.1.6 moved ${new}\", \"please try <${new}>\" ]", 1},
    {"by_domain = ( { domain = \"x\"; moved = \"551 5.1.6 ${new}\"; } )", 1},
    {"moved = \"551 5.1.6 ${new}\"; by_domain = ( { domain = \"x\"; } )", 1},
};
START_TEST(texts_that_hide_the_new_address_are_warned_of)
{
    char text[512];
    struct settings *settings;
    struct error err;
    warnings = 0;
    snprintf(text, sizeof text, "replies: { %s; };", hidden[_i].text);
    ck_assert_msg(read_text(&settings, text, &err) == 0, "%s", err.text);
    settings_warn(settings, count_warning);
    ck_assert_msg(warnings == hidden[_i].warnings, "%s: %d", hidden[_i].text, warnings);
    settings_free(settings);
}
END_TEST

START_TEST(the_sample_is_the_defaults)
{
    const char *source = getenv("top_srcdir");
    char path[512], line[512], text[16384] = "";
    struct settings *settings;
    struct error err;
    snprintf(path, sizeof path, "%s/etc/milter-moved.conf", source == NULL ? "." : source);
    ck_assert_msg(settings_read(&settings, path, &err) == 0, "%s", err.text);
    settings_free(settings);

    FILE *in = fopen(
        path, "r"); /* every line that begins with '#' and no blank, or is within such a group */
    while (fgets(line, sizeof line, in) != NULL)
        if (line[0] == '#' && (line[1] != ' ' || line[2] == ' ') &&
            strlen(text) + strlen(line) < sizeof text && strstr(line, "   socket = ") == NULL)
            strcat(text, line + 1);
    fclose(in);
    ck_assert_msg(read_text(&settings, text, &err) == 0, "%s\n%s", err.text, text);
    struct settings *plain = settings_new();
    ck_assert_str_eq(settings->socket, plain->socket);
    ck_assert_str_eq(settings->table, "/var/lib/milter-moved");
    for (int i = 0; i < TEXTS; i++)
        ck_assert_str_eq(settings->texts.of[i], plain->texts.of[i]);
    ck_assert_uint_eq(settings->trusted_count, plain->trusted_count);
    ck_assert_mem_eq(settings->trusted, plain->trusted,
                     plain->trusted_count * sizeof *plain->trusted);
    ck_assert_int_eq(settings->limit, plain->limit);
    ck_assert_int_eq(settings->network_limit, plain->network_limit);
    ck_assert_int_eq(settings->period, plain->period);
    ck_assert_int_eq(settings->log_level, plain->log_level);
    ck_assert_str_eq(settings->user, plain->user);
    settings_free(plain);
    settings_free(settings);
}
END_TEST

Suite *settings_suite(void)
{
    Suite *suite = suite_create("settings");
    TCase *tcase = tcase_create("settings");
    tcase_add_checked_fixture(tcase, scratch_setup, scratch_teardown);
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, every_key_is_read);
    tcase_add_loop_test(tcase, bad_input_names_file_line_and_key, 0, ROWS(bad));
    tcase_add_loop_test(tcase, what_looks_like_a_fault_and_is_none_is_read, 0, ROWS(good));
    tcase_add_loop_test(tcase, a_fault_in_an_included_file_is_named_there, 0, ROWS(included));
    tcase_add_loop_test(tcase, no_password_of_a_connection_string_is_shown, 0, ROWS(connects));
    tcase_add_test(tcase, the_last_file_that_sets_a_key_wins);
    tcase_add_loop_test(tcase, a_fault_in_a_part_is_named_there, 0, ROWS(bad_parts));
    tcase_add_test(tcase, a_part_that_cannot_be_read_is_an_error);
    tcase_add_loop_test(tcase, the_class_of_each_reply_is_fixed, 0, ROWS(classes));
    tcase_add_test(tcase, a_nul_byte_is_named);
    tcase_add_test(tcase, the_environment_names_the_file);
    tcase_add_test(tcase, remote_clients_want_a_word);
    tcase_add_test(tcase, what_is_no_file_is_refused_at_once);
    tcase_add_test(tcase, a_text_that_programs_cannot_read_is_warned_of);
    tcase_add_test(tcase, a_domain_has_its_own_texts_and_else_those_of_its_parent_or_all);
    tcase_add_loop_test(tcase, texts_that_hide_the_new_address_are_warned_of, 0, ROWS(hidden));
    tcase_add_test(tcase, the_sample_is_the_defaults);
    suite_add_tcase(suite, tcase);
    return suite;
}
