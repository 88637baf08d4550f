/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/postfix_danger.h"

#include "doctor/postfix_mend.h"
#include "mta/files.h"
#include "mta/postfix/postfix_ours.h"
#include "mta/postfix/postfix_socket.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool danger_map_alone(struct exam *exam)
{
    struct postfix_milter us;
    if (exam->view == NULL || exam->service < 0 || postfix_has_us(exam, &us) ||
        !(postfix_asks(exam, ":listed") || postfix_asks(exam, ":refused")))
        return false;
    mend_drop(exam, postfix_is_our_map, postfix_lists, POSTFIX_LISTS);
    return true;
}

/* "pipemap:{$moved_listed, static:OK}" with nothing in place of the first map. */
static bool is_open_pipe(const struct exam *exam, const char *item)
{
    (void)exam;
    return strncmp(item, "pipemap:{", 9) == 0 && strstr(item, "moved_") != NULL;
}

bool danger_permits_all(struct exam *exam)
{
    for (size_t i = POSTFIX_CLASSES; i < POSTFIX_LISTS; i++)
        if (strstr(postfix_of_service(exam, postfix_lists[i]), "pipemap:{,") != NULL) {
            fact_set(&exam->facts, "list", "%s", postfix_lists[i]);
            mend_drop(exam, is_open_pipe, postfix_lists + POSTFIX_CLASSES,
                      POSTFIX_LISTS - POSTFIX_CLASSES);
            return true;
        }
    return false;
}

/* Looks for what is ours in a file of the configuration: there names the first of it, and unknown what detach refuses to
 * take out. */
static void find_left(const struct postfix_view *view, const char *name, const char *socket,
                      struct error *there, struct error *unknown)
{
    char path[PATH_MAX];
    struct error err;
    struct cf cf = {.text = NULL};
    snprintf(path, sizeof path, "%s/%s", view->postfix.dir, name);
    char *text = file_read(path, &err);
    if (text != NULL && cf_read(&cf, text) == 0 && ours_check_gone(&cf, path, socket, there) != 0) {
        bool is_main = strcmp(name, "main.cf") == 0;
        (void)(is_main ? ours_strip_main(&cf, &view->postfix, &err) : ours_strip_master(&cf));
        (void)ours_check_gone(&cf, path, socket, unknown);
    }
    free(text);
    cf_free(&cf);
}

bool danger_left_behind(struct exam *exam)
{
    const struct postfix_view *view = exam->view;
    const char *relative = postfix_queue_path(&view->postfix, view->lookups);
    const char *socket = relative == NULL ? view->lookups : relative;
    struct error there = {.text = ""}, unknown = {.text = ""};
    struct postfix_milter us;
    bool asked = false;
    for (exam->service = 0; exam->service < exam->services && !asked; exam->service++)
        asked = postfix_has_us(exam, &us);
    exam->service = exam->door;
    if (asked)
        return false;
    find_left(view, "master.cf", socket, &there, &unknown);
    find_left(view, "main.cf", socket, &there, &unknown);
    const struct error *found = *unknown.text == '\0' ? &there : &unknown;
    const char *end = strstr(found->text, " stands ");
    fact_set(&exam->facts, "left", "%.*s", end == NULL ? 0 : (int)(end - found->text), found->text);
    fact_set(&exam->facts, "by_hand", "%s",
             *unknown.text == '\0' ? "" : "Take it out there, with what belongs to it. Then:\n");
    return *there.text != '\0';
}

bool danger_relays(struct exam *exam)
{
    static const char key[] = "mynetworks";
    struct network network;
    struct error err;
    const char *at = postfix_of_service(exam, key), *item;
    mend_set(exam, "smtpd_relay_restrictions",
             "permit_mynetworks permit_sasl_authenticated reject_unauth_destination");
    for (size_t length; (item = postfix_item(&at, &length)) != NULL;) {
        char text[64];
        snprintf(text, sizeof text, "%.*s", (int)length, item);
        if (network_parse(&network, text, &err) == 0 &&
            network_contains(&network, 1, &doctor_stranger))
            mend_set(exam, key, "127.0.0.0/8 [::1]/128");
    }
    return true;
}
