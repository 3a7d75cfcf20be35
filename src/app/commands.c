/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/commands.c: the table of sub-commands, and their manuals. 79 columns. */
#include "app/command.h"

#define SETTINGS_PARAGRAPH                                                                         \
    "  --SETTING VALUE  any setting, like --data DIR or --database URL; settings\n"                \
    "                   also come from the environment and from .env: `hutong\n"                   \
    "                   settings` lists them\n"

const struct command commands[] = {
    {.name = "serve",
     .usage = "[--demo] [--SETTING VALUE...]",
     .summary = "run the community server",
     .manual = "Opens the data folder (made when missing), brings the database up to date,\n"
               "listens, and prints one line to standard output when it is ready:\n"
               "\n"
               "    ready http://127.0.0.1:8000 pid=1234\n"
               "\n"
               "In an empty community it also prints a one-time code that makes the first\n"
               "account an administrator. The log goes to standard error or to --log-file.\n"
               "\n"
               "Options:\n"
               "  --demo           in an empty community, make demo residents, members, posts\n"
               "                   and messages, and print how to log in\n" SETTINGS_PARAGRAPH "\n"
               "Signals:\n"
               "  TERM, INT        stop: running requests may finish (--drain-timeout), live\n"
               "                   readers are told to come back\n"
               "  HUP              open the log file anew, after it was moved away\n"
               "\n"
               "A second server on the same address and data takes over without a refused\n"
               "request: start it, wait for its ready line, then stop the first.\n"
               "\n"
               "Examples:\n"
               "  hutong serve --demo\n"
               "  hutong serve --listen 0.0.0.0:8000 --data /var/lib/hutong\n"
               "  HUTONG_DATABASE=mysql://hutong:PASSWORD@localhost/hutong hutong serve\n"
               "\n"
               "Exit status: 0 after a signal, 1 when it cannot start, 2 for wrong usage or a\n"
               "wrong setting. `hutong doctor` says what stands in the way.\n",
     .flags = "demo",
     .values = "",
     .run = run_serve,
     .vets = true},
    {.name = "user",
     .usage = "add NAME [--nickname TEXT] [--role ROLE]\n"
              "role NAME ROLE\n"
              "list",
     .summary = "add members, change roles, list them",
     .manual =
         "Works on the database of the settings, also while a server runs.\n"
         "\n"
         "  add NAME         make an account; its password is one line of standard\n"
         "                   input\n"
         "  role NAME ROLE   give a member another role\n"
         "  list             everybody, one line each: id, role, name, nickname\n"
         "\n"
         "Options:\n"
         "  --nickname TEXT  the name others see; NAME when not given\n"
         "  --role ROLE      member (the default), moderator or admin\n" SETTINGS_PARAGRAPH "\n"
         "Examples:\n"
         "  hutong user add mei --nickname 小梅 --role admin\n"
         "  hutong user role mei moderator\n"
         "  hutong user list --data /var/lib/hutong\n"
         "\n"
         "Exit status: 0 done, 1 failed (the name is taken, there is no such member),\n"
         "2 for wrong usage or a wrong setting.\n",
     .flags = "",
     .values = "nickname role",
     .run = run_user,
     .vets = true},
    {.name = "resident",
     .usage = "add NAME [OPTION...]\n"
              "add -\n"
              "set NAME --wiki WIKI\n"
              "list [--json]\n"
              "import FILE\n"
              "export",
     .summary = "add AI residents, list them, take them along",
     .manual = "A resident is an account that nobody can log in to. It lives in the town.\n"
               "\n"
               "  add NAME     make one of the options below\n"
               "  add -        make one of a profile in JSON on standard input\n"
               "  set NAME     what it knows about from now on: --wiki\n"
               "  list         everybody, one line each: id, name, nickname\n"
               "  import FILE  add all that stand in FILE (- is standard input), or none\n"
               "  export       everybody, as FILE, to standard output. Without pictures\n"
               "\n"
               "FILE is a list of profiles:\n"
               "\n"
               "  [{\"username\": \"xiaohe\", \"nickname\": \"小荷\", \"personality\": "
               "\"curious,kind\",\n"
               "    \"bio\": {\"description\": \"…\", \"occupation\": \"painter\", \"age\": 25,\n"
               "            \"gender\": \"\", \"speaking_style\": \"…\", \"goals\": [\"…\"],\n"
               "            \"daily_routine\": {}, \"personality_traits\": [\"…\"]}}]\n"
               "\n"
               "Only `username` must be there; `bio` may be plain text, too. Residents move\n"
               "into the town within seconds while it is run, else when it is run next.\n"
               "\n"
               "Options:\n"
               "  --username NAME     the same as NAME\n"
               "  --nickname TEXT     the name others see; NAME when not given\n"
               "  --bio TEXT          what the profile says: text, or JSON as above\n"
               "  --personality TEXT  traits, separated by commas\n"
               "  --wiki WIKI         a wiki for everyone that it answers questions about, by\n"
               "                      its name or number (hutong wiki list); none: none\n"
               "  --json              `list` as JSON\n" SETTINGS_PARAGRAPH "\n"
               "Examples:\n"
               "  hutong resident add xiaohe --nickname 小荷 --personality curious,kind\n"
               "  hutong resident set xiaohe --wiki teahouse\n"
               "  hutong resident export >residents.json\n"
               "  hutong resident import residents.json --data /srv/new\n"
               "\n"
               "Exit status: 0 done; 1 failed (a name is taken, a profile is wrong), and all\n"
               "is as it was; 2 for wrong usage or a wrong setting.\n",
     .flags = "json",
     .values = "username nickname bio personality wiki",
     .run = run_resident,
     .vets = true},
    {.name = "db",
     .usage = "migrate\n"
              "status\n"
              "backup FILE\n"
              "restore FILE\n"
              "check [FILE]",
     .summary = "migrate, back up, restore and check the database",
     .manual = "Works on the database of the settings (--database, --data).\n"
               "\n"
               "  migrate       bring the schema up to date, and make the database when there\n"
               "                is none; `hutong serve` does this by itself\n"
               "  status        every migration and whether it is applied\n"
               "  backup FILE   a copy as of one moment, also while a server runs; read again\n"
               "                and compared before it gets its name, with its checksum in\n"
               "                FILE.sha256 beside it. Never replaces a file\n"
               "  restore FILE  check the backup, then put it where nothing is yet: no database\n"
               "                file, or a MariaDB database without tables. Stop the server and\n"
               "                move the old database away first\n"
               "  check         is the database sound? Pages, indexes, references; with MariaDB\n"
               "                every table. Reads all of it; a server may run meanwhile\n"
               "  check FILE    is the backup whole and sound, and as FILE.sha256 says? Damage\n"
               "                inside a text shows by that alone\n"
               "\n"
               "A backup holds the whole database and is readable by its owner only. Pictures\n"
               "(DATA/uploads) and the signing keys (DATA/keys.json) are files: copy them too.\n"
               "Keep FILE.sha256 with it; `sha256sum -c FILE.sha256` reads it as well.\n"
               "A backup of SQLite is an SQLite file, one of MariaDB a dump of Hutong's own;\n"
               "each goes back into the same engine. Ctrl-C stops and leaves nothing behind.\n"
               "\n"
               "Options:\n" SETTINGS_PARAGRAPH "\n"
               "Examples:\n"
               "  hutong db backup /var/backups/hutong-monday.db --data /var/lib/hutong\n"
               "  hutong db check /var/backups/hutong-monday.db\n"
               "  hutong db restore /var/backups/hutong-monday.db --data /srv/new\n"
               "\n"
               "Exit status: 0 done; 1 failed, also: `status` found pending or wrong\n"
               "migrations, `check` found damage; 2 for wrong usage or a wrong setting.\n",
     .flags = "",
     .values = "",
     .run = run_db,
     .vets = true},
    {.name = "llm",
     .usage = "check\n"
              "models\n"
              "chat [OPTION...] QUESTION...",
     .summary = "language models: what answers, and a question to one",
     .manual =
         "  check    every site that is set up: does it answer, and with how many models\n"
         "  models   every model there is, one line each: SITE/MODEL\n"
         "  chat     ask, and print the answer while it is written; a lone - as the\n"
         "           question reads it from standard input\n"
         "\n"
         "Nothing but the answer goes to standard output. Without any site set up, LM\n"
         "Studio (port 1234) and Ollama (port 11434) are looked for on this machine; when\n"
         "neither answers, the offline engine does, which is no language model.\n"
         "\n"
         "Options of chat:\n"
         "  --model SITE/MODEL  instead of the default (setting llm-model)\n"
         "  --system TEXT       what the model is told beforehand\n"
         "  --schema FILE       the answer must be JSON that fits this JSON Schema; when\n"
         "                      it does not, the model is told what is wrong, once\n"
         "  --usage             tokens and times, to standard error\n"
         "  --quiet             do not say who answers instead of a model\n" SETTINGS_PARAGRAPH "\n"
         "Examples:\n"
         "  hutong llm check\n"
         "  hutong llm chat \"What is a hutong?\"\n"
         "  hutong llm chat --model ollama/qwen3:1.7b - <question.txt\n"
         "\n"
         "Keys are read from the environment, .env or the file of the setting\n"
         "llm-keys-file, never from the command line.\n"
         "\n"
         "Exit status: 0 the answer is complete, or a site answers; 1 it is not, or none\n"
         "does; 2 wrong usage or a wrong setting.\n",
     .flags = "usage quiet",
     .values = "model system schema",
     .run = run_llm},
    {.name = "wiki",
     .usage = "add URL|FOLDER [--name NAME] [--branch BRANCH] [options]\n"
              "index NAME\n"
              "list\n"
              "ask NAME QUESTION|- [--model SITE/MODEL] [options]\n"
              "generate NAME [--language CODE] [--concise] [--renew] [options]\n"
              "export NAME [--book N] [--format FORMAT] [--output PATH]\n"
              "delete NAME\n"
              "import FOLDER --as MEMBER",
     .summary = "Repositories that can be asked",
     .manual =
         "Fetches a repository, splits and indexes what is in it, and answers questions\n"
         "about it with citations. Works beside a server that runs on the same data.\n"
         "\n"
         "add        fetch and index a repository; the same again is that one\n"
         "index      fetch what is new and index it; only what changed is read. Then, with\n"
         "           the setting wiki-embedder, vectors of what is new\n"
         "list       the wikis, how they stand and which commit they hold\n"
         "ask        the answer goes to standard output, what is about it to standard\n"
         "           error; without a model it shows where to look\n"
         "generate   have a wiki written about it, a page after the other; without a model\n"
         "           an outline from the code itself\n"
         "export     what was written, the newest or --book N: as markdown (one file), as\n"
         "           folder (a file a page), html, slides (both one file that needs nothing\n"
         "           else) or json (the form of deepwiki-open); to --output, else to\n"
         "           standard output\n"
         "delete     with its repository, its index and what was written about it\n"
         "import     wikis that deepwiki-open wrote, out of its folder wikicache; what was\n"
         "           fetched with a token is for that member alone\n"
         "\n"
         "  --name NAME         what to call it; else the repository's name\n"
         "  --branch BRANCH     a branch, tag or commit; else the repository's own\n"
         "  --include LINES     only these files, in the syntax of gitignore(5)\n"
         "  --exclude LINES     not these\n"
         "  --access WHO        everyone (the default) or members\n"
         "  --model SITE/MODEL  instead of the default (setting llm-model)\n"
         "  --language CODE     of the answer: en, ja, zh, zh-tw, es, kr, vi, pt-br, fr,\n"
         "                      ru; else that of the question\n"
         "  --file PATH         put this file before the model as a whole\n"
         "  --research          several rounds: a plan, updates, a conclusion\n"
         "  --sources           show what was put before the model\n"
         "  --concise           a shorter book\n"
         "  --renew             the newest book (or --book N) again: of its pages only those\n"
         "                      are written whose files have changed\n"
         "\n"
         "A folder must lie inside of the setting wiki-roots, a host of an own network\n"
         "stand in wiki-hosts. The token of a private repository is taken from the\n"
         "environment, HUTONG_WIKI_TOKEN, and is kept nowhere.\n"
         "\n"
         "  hutong wiki add https://github.com/git/git --branch v2.47.0\n"
         "  hutong wiki ask git \"Where are packs written?\"\n",
     .flags = "research sources concise renew",
     .values = "name branch include exclude access model language file as book format output",
     .run = run_wiki},
    {.name = "town",
     .usage = "[--step N] [--as USERNAME]\n"
              "replay [--until MINUTE]\n"
              "forget --yes\n"
              "branch [--at MINUTE] --report DIR [OPTION...]\n"
              "run [--from FILE] [--save FILE] [OPTION...]\n"
              "experiment FILE --report DIR [--threads T]",
     .summary = "the town from the terminal, and towns without a community",
     .about = "Without a word: takes the town of the community over and obeys what stands on\n"
              "standard input, a command a line. What the residents do goes to the members as\n"
              "from a server. One process runs the town: where a server does, this says which\n"
              "and ends. The town stands still until `start` or `step`; when this ends, a\n"
              "server on the same data goes on with it.\n"
              "\n"
              "  start, stop, pause, resume, step, speed N\n"
              "  status, who, where, memory NAME, log [N]\n"
              "  tell NAME TEXT, save [FILE], branch DIR NAME=N…, help, quit\n"
              "\n"
              "`help` says what each does. Lines begin with the town's time: >> a deed begins,\n"
              "<< it ends, -- time has jumped. Tab completes commands and names.\n"
              "\n"
              "  replay           the town's whole life anew, from its first checkpoint and\n"
              "                   what was told to it, performing nothing: is it the same?\n"
              "                   Changes nothing, also while a server runs\n"
              "  forget           let the town be founded anew, with all residents there are.\n"
              "                   They lose clock, plans, memories and friendships; what\n"
              "                   they wrote stays\n"
              "  branch           two copies of the town as it was at a minute go on for some\n"
              "                   days, one with the settings given, and are compared; it only\n"
              "                   looks, also while a server runs\n"
              "  run              found a town without a community, let it live, say what it\n"
              "                   came to\n"
              "  experiment FILE  run several settings over several seeds and compare them;\n"
              "                   docs/town.md says what stands in FILE\n"
              "\n"
              "run and experiment need no database and no server, and write nothing but what\n"
              "--report, --save and --journal name. The last line of standard output is a hash\n"
              "of all that happened, the same everywhere, whatever the threads. With --mind\n"
              "model the answers belong to it, and town-model-tokens and -money are of a run.\n"
              "\n"
              "Options of the community's town:\n"
              "  --step N         N times: wait for Enter, then one step; q ends\n"
              "  --as USERNAME    the member who tells things\n"
              "  --until MINUTE   replay to there: game minutes since day 1, 00:00\n"
              "  --at MINUTE      branch from there; where the town is now\n"
              "\n",
     .manual = "Options of run, experiment and branch:\n"
               "  --report DIR     write figures (JSON, CSV) and a page, report.html\n"
               "  --threads T      1 to 256; as many as there are processors\n"
               "  --mind rule|model  who decides: rules, or a model what is free; rule\n"
               "  --model SITE/MODEL  the model; the setting llm-model\n"
               "  --journal FILE   answers are added to FILE, and what it has is not asked\n"
               "                   again: with it the same command gives the same hash, with\n"
               "                   no model, too, and a run that was ended goes on\n"
               "  --answer-seconds N  then the rules decide; 1 to 3600; 60\n"
               "\n"
               "Options of run and branch:\n"
               "  --save FILE      run: write where the town stands at the end\n"
               "  --from FILE      run: go on from there; settings given change from then on\n"
               "  --residents N    1 to 4000000; 100\n"
               "  --days D         24 hours each, from 08:00 of day 1; 1 to 36500; 7\n"
               "  --seed S         0 to 2^64 - 1; 1\n"
               "  --memory-slots N, --relation-slots N, --feed-slots N, --keep-effects 0|1,\n"
               "  --mail-minutes N what a resident can remember (8 to 240) and whom it can know\n"
               "                   (4 to 240), posts the phone remembers (a power of two, 64 to\n"
               "                   1048576), whether messages are looked at one by one, how\n"
               "                   many minutes phones wait to fetch (a divisor of 60). Up to\n"
               "                   10,000 residents: 120, 64, 4096, 1, 1; more: 16, 10, 16384,\n"
               "                   0, 15, about 1 kB a resident\n"
               "  --model-share N, --model-calls N\n"
               "                   per cent of free decisions that go to the model, and how\n"
               "                   many at most a resident and day; the settings\n"
               "                   town-model-share, town-model-calls\n"
               "  --openness N, --conscientiousness N, --extraversion N, --agreeableness N,\n"
               "  --neuroticism N  added to everybody's trait; -100 to 100; 0\n"
               "\n"
               "Where standard error is a terminal it shows how far the run is. Ctrl-C ends it\n"
               "with figures of what was reached and status 1; a second one ends it at once.\n"
               "\n" SETTINGS_PARAGRAPH "\n"
               "Examples:\n"
               "  hutong town --data /var/lib/hutong --as mei\n"
               "  hutong town replay\n"
               "  hutong town run --residents 200 --days 14 --seed 7 --report out\n"
               "  hutong town run --residents 1000000 --days 1\n"
               "  hutong town branch --at 2880 --days 14 --extraversion 40 --report out\n"
               "  hutong town experiment docs/town-experiment.json --report compared\n"
               "  hutong town run --residents 50 --days 2 --mind model --model ollama/llama3 \\\n"
               "      --journal answers.jsonl --report out\n"
               "\n"
               "Exit status: 0 done; 1 failed or ended early (no residents, another process has\n"
               "the town), or the replay differs; 2 for wrong usage, a wrong setting or FILE.\n",
     .flags = "yes",
     .values = "step as until at save from report threads mind model journal "
               "answer-seconds model-share model-calls residents days seed memory-slots "
               "relation-slots feed-slots keep-effects mail-minutes openness conscientiousness "
               "extraversion agreeableness "
               "neuroticism",
     .run = run_town,
     .vets = true},
    {.name = "doctor",
     .usage = "[--SETTING VALUE...]",
     .summary = "check everything and say how to mend it",
     .manual = "Looks at settings, folders, disk, signing keys, database, passwords, address,\n"
               "limits, clock and broker. One line for each thing: ok, warn or WRONG, and below\n"
               "it what to do. Changes nothing, makes no file, and may run beside a server. Run\n"
               "it as the user who runs the server, or as root, with the same settings.\n"
               "\n"
               "Options:\n" SETTINGS_PARAGRAPH "\n"
               "Environment:\n"
               "  NO_COLOR         no colours; there are none where output is no terminal\n"
               "\n"
               "Examples:\n"
               "  hutong doctor\n"
               "  sudo hutong doctor --data /var/lib/hutong\n"
               "\n"
               "Exit status: 0 when nothing is WRONG (there may be warnings), 1 when something\n"
               "is, 2 for wrong usage or a value that cannot be read at all.\n",
     .flags = "",
     .values = "",
     .run = run_doctor},
    {.name = "settings",
     .usage = "[--SETTING VALUE...]",
     .summary = "list every setting with its value and help",
     .manual = "Prints each setting, the value it has now, the environment names that set it,\n"
               "what is allowed, and what it is for. Secrets and passwords are shown as ***.\n"
               "\n"
               "A value comes from the first of these that has one:\n"
               "  1. the command line: --NAME VALUE or --NAME=VALUE\n"
               "  2. the environment: HUTONG_NAME, or the name of an older system\n"
               "  3. the file .env in the working directory: HUTONG_NAME=VALUE, one a line\n"
               "  4. the default\n"
               "\n"
               "Example:\n"
               "  HUTONG_LOG_LEVEL=debug hutong settings --data /var/lib/hutong\n"
               "\n"
               "Exit status: 0, or 2 when a value is wrong.\n",
     .flags = "",
     .values = "",
     .run = run_settings},
    {.name = "bench-data",
     .usage = "--members N --posts N --partners N --messages N",
     .summary = "fill an empty community for measuring",
     .manual = "Used by bench/run. Prints one JSON line with what it made.\n",
     .flags = "",
     .values = "members posts partners messages",
     .run = run_bench_data,
     .vets = true,
     .hidden = true},
};
const size_t commands_count = COUNT_OF(commands);
