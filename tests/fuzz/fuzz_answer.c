/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client or a table can reach of a reply: any octets as the new address of an entry, and as a recipient. No
 * reply has more lines than its text, a control character, or an octet over 127 in a session without SMTPUTF8.
 * The input is an octet of flags, the new address, a NUL, and the recipient. */
#include "answer/answer.h"
#include "answer/map.h"
#include "table/record.h"
#include "table/table_internal.h"

#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMTPUTF8 1
#define CONCEAL  2
#define TRUSTED  4
#define NOW      1788220800

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];
static struct table *table;
static struct settings *settings;

/* ---- the table, and texts that echo all there is */

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    (void)status;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void clean_up(void)
{
    table_free(table);
    settings_free(settings);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put_raw(const char *local, const void *new, size_t length)
{
    unsigned char value[RECORD_VALUE_MAX] = {0};
    char key[RECORD_KEY_MAX];
    MDB_txn *txn;
    enum entry_scope scope = *local == '\0' ? ENTRY_DOMAIN : ENTRY_MAILBOX;
    MDB_val name = {.mv_size = record_key(key, scope, local, "old.example"), .mv_data = key},
            octets = {.mv_size = 5 + length, .mv_data = value};

    if (length > ADDRESS_NEW_MAX)
        return;
    value[3] = (unsigned char)length;
    memcpy(value + 5, new, length);
    if (mdb_txn_begin(table->env, NULL, 0, &txn) != 0 ||
        mdb_put(txn, table->entries, &name, &octets, 0) != 0 || mdb_txn_commit(txn) != 0)
        abort();
}

static void set(enum text_kind kind, const char *text)
{
    free(settings->texts.of[kind]);
    settings->texts.of[kind] = strdup(text);
    if (texts_check(&settings->texts, &settings->texts_by_domain, NULL) != 0)
        abort();
}

static void make(void)
{
    struct error err;
    snprintf(folder, sizeof folder, "/tmp/fuzz-XXXXXX");
    settings = settings_new();
    if (mkdtemp(folder) == NULL || settings == NULL)
        abort();
    strcat(folder, "/");
    if (table_create(folder, true, NULL, (uid_t)-1, (gid_t)-1, &err) != 0 ||
        table_open(&table, folder, TABLE_WRITE, true, &err) != 0)
        abort();
    atexit(clean_up);
    mdb_env_set_flags(table->env, MDB_NOSYNC, 1);
    put_raw("", "@new.example", strlen("@new.example"));
    set(TEXT_MOVED, "551 5.1.6 <${new}>\n${old} ${recipient}\n<${new}>");
    set(TEXT_WITHHELD, "550 5.1.6 ${old}\n${recipient}\n.");
    set(TEXT_UNKNOWN, "550 5.1.1 <${recipient}>:\n.\n.");
}

/* ---- what is asked of each outcome */

static void check_line(const char *line, bool smtputf8)
{
    for (const unsigned char *at = (const unsigned char *)line; *at != '\0'; at++)
        if (*at < ' ' || *at == 0x7f || (*at > 0x7f && !smtputf8) ||
            (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0))
            abort();
}

static void check(const struct answer *answer, bool smtputf8)
{
    const struct reply *reply = &answer->reply;
    if (answer->verdict != VERDICT_REPLY)
        return;
    if (reply->lines != 3 && reply->lines != 1) /* 1: the fallback */
        abort();
    if (strcmp(reply->code, "551") != 0 && strcmp(reply->code, "550") != 0 &&
        answer->rule != RULE_TABLE_ERROR)
        abort();
    for (unsigned i = 0; i < reply->lines; i++)
        check_line(reply->text[i], smtputf8);
}

static void ask_map(const char *head, const void *recipient, size_t length, bool smtputf8)
{
    static struct map_answer found;
    char request[4096];
    size_t used = strlen(head);
    if (length > sizeof request - used)
        return;
    memcpy(request, head, used);
    memcpy(request + used, recipient, length);
    const struct map_question asked = {.request = request, .length = used + length, .now = NOW};
    map_ask(&found, &asked, &(struct answer_source){settings, table, NULL, NULL});
    if (found.result == MAP_OK)
        check_line(found.value, smtputf8);
}

static void ask(const void *recipient, size_t length, unsigned flags)
{
    static struct answer answer;
    char head[64];
    bool smtputf8 = (flags & SMTPUTF8) != 0;
    const struct question question = {
        .recipient = recipient,
        .length = length,
        .client = {.has_ip = true, .authenticated = (flags & TRUSTED) != 0, .smtputf8 = smtputf8},
        .now = NOW};

    settings->conceal = (flags & CONCEAL) != 0;
    answer_ask(&answer, &question, &(struct answer_source){settings, table, NULL, NULL});
    check(&answer, smtputf8);

    snprintf(head, sizeof head, "reply 192.0.2.7 0 %d ", smtputf8);
    ask_map(head, recipient, length, smtputf8);
    ask_map("listed ", recipient, length, true);
    ask_map("relocated ", recipient, length, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char raw[] = "<raw@old.example>";
    const uint8_t *nul = size == 0 ? NULL : memchr(data + 1, '\0', size - 1);
    if (nul == NULL)
        return 0;
    if (table == NULL)
        make();
    settings->disclose = *data & TRUSTED ? 1 : 0;
    put_raw("raw", data + 1, (size_t)(nul - data) - 1);
    ask(raw, strlen(raw), *data);
    ask(nul + 1, size - (size_t)(nul - data) - 1, *data);
    return 0;
}
