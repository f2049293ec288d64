/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of "sinkholectl feed" share. Threads: one. Memory: see each function. */
#ifndef SINKHOLE_CLI_FEED_H
#define SINKHOLE_CLI_FEED_H

#include "cli/cli.h"
#include "sinkhole/feeds.h"

int feed_list(struct cli *cli, int argc, char **argv);
int feed_show(struct cli *cli, int argc, char **argv);
/* What imports kept beside their names, one import or (NULL) all; `staged` may be NULL. To the
 * terminal, or into `array`. */
int feed_show_beside(struct cli *cli, const struct sinkhole_feeds *feeds, const char *feed,
                     const char *import, const struct sinkhole_staged *staged, json_t *array);
int feed_import(struct cli *cli, int argc, char **argv);
int feed_diff(struct cli *cli, int argc, char **argv);
int feed_publish(struct cli *cli, int argc, char **argv);
/* Publishes what is staged and prints it, or leaves it in *ret_json. */
int feed_publish_staged(struct cli *cli, const struct sinkhole_feeds *feeds, const char *feed,
                        const char *import, json_t **ret_json);
int feed_rollback(struct cli *cli, int argc, char **argv);

/* Opens the suffix list; CLI_GO_ON or the code to return. feed_close releases it. */
int feed_open(struct cli *cli, struct sinkhole_feeds *ret_feeds);
void feed_close(struct sinkhole_feeds *feeds);
/* The exit code of a failure, with one sentence printed. */
int feed_fail(struct cli *cli, const char *feed, enum sinkhole_feeds_status status,
              const struct sinkhole_feeds_outcome *outcome);
/* Prints an outcome of a publication or a comparison; NOTHING too. */
void feed_print_outcome(const struct cli *cli, const char *what,
                        const struct sinkhole_feeds_outcome *outcome);
json_t *feed_outcome_json(const struct sinkhole_feeds_outcome *outcome);

/* An option's text into a field; false after a message when it is too long. NULL leaves it alone.
 */
bool feed_take_text(const char *option, const char *text, char *to, size_t size);
/* A whole number in a range; false after a message. NULL leaves it alone. */
bool feed_take_number(const char *option, const char *text, uint64_t min, uint64_t max,
                      uint64_t *ret_value);
/* One of the words, ended by NULL; its place, or -1 after a message. */
int feed_take_word(const char *option, const char *text, const char *const *words);
extern const char *const feed_action_words[]; /* by enum sinkhole_action, ended by NULL */
extern const char *const feed_scope_words[];
extern const char *const feed_kind_words[];
extern const char *const feed_format_words[];

#endif
