#!/bin/sh
# A node without an agent: fetches its actions over HTTP, runs each once, and says what came of it.
# Needs a POSIX shell, curl and jq.
#
#   MUSTER_URL=https://muster.example MUSTER_NODE=kiosk-7 MUSTER_TOKEN_FILE=/etc/kiosk/token \
#     MUSTER_ACTIONS=/etc/kiosk/actions MUSTER_STATE=/var/lib/kiosk poll.sh [--once]
#
# MUSTER_ACTIONS holds one program for each type (message, restart, reboot …). It gets the data as JSON on its standard
# input; its exit code says whether it succeeded, and what it prints is the result.
#
# Under MUSTER_STATE lies `fetch/` while there is work: the key of the fetch, its answer, and for each action that it
# was begun and what came of it. Everything is on disk before the step that it makes safe.
set -eu
umask 077

url=${MUSTER_URL%/} node=$MUSTER_NODE actions=$MUSTER_ACTIONS
fetch=$MUSTER_STATE/fetch
seconds=${MUSTER_INTERVAL:-30}
[ "$seconds" -ge 1 ] || seconds=1

log() {
  printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*" >&2
}

# Another one after each start of the machine; nothing where the kernel tells none.
boot_id() {
  cat /proc/sys/kernel/random/boot_id 2>/dev/null || :
}

# call ANSWER ARGS…: prints the status, 000 when there was no answer. The token stays off the command line.
call() {
  answer=$1
  shift
  printf 'header = "Authorization: Bearer %s"\n' "$(cat "$MUSTER_TOKEN_FILE")" |
    curl --config - --silent --max-time 15 --output "$answer" --write-out '%{http_code}' "$@" || :
}

# Moves a file that was written whole to its place, so that it is there or not.
keep() {
  sync
  mv "$1" "$2"
  sync
}

# The key is on disk before it is used: after a lost answer, or a crash, the same key gets the same actions.
fetch_actions() {
  if [ ! -s "$fetch/key" ]; then
    mkdir -p "$fetch"
    od -An -tx1 -N16 /dev/urandom | tr -d ' \n' >"$fetch/key.new"
    keep "$fetch/key.new" "$fetch/key"
  fi
  status=$(call "$fetch/answer.new" --header "Idempotency-Key: $(cat "$fetch/key")" \
    --get --data-urlencode "machine_id=$node" "$url/api/actions/pending")
  if [ "$status" != 200 ] || ! jq -e '.actions | type == "array"' "$fetch/answer.new" >/dev/null 2>&1; then
    log "nothing fetched (status $status)"
    return 1
  fi
  keep "$fetch/answer.new" "$fetch/answer"
}

# Asks for the leave to start: 0 it has it; 1 it was cancelled, has ended or is past its time; 2 nobody could be asked.
ask_leave() {
  jq -n --arg id "$1" '{execution_id: $id, status: "accepted", reason: ""}' >"$step.ack"
  path=$(jq -rn --arg node "$node" --arg id "$1" '"/v1/nodes/\($node | @uri)/executions/\($id | @uri)/ack"')
  status=$(call /dev/null --header 'Content-Type: application/json' --data-binary "@$step.ack" "$url$path")
  case $status in
    204) return 0 ;;
    404 | 409 | 410) log "$1 is not to be started (status $status)" && return 1 ;;
    *) log "$1 waits (status $status)" && return 2 ;;
  esac
}

# run_action ID TYPE: the report goes to $step.report. What was begun is never begun again.
run_action() {
  if [ -e "$step.begun" ]; then
    # Only the process that comes after can say that a restart is done, and only one in another boot that a reboot is.
    if [ "$2" = restart ]; then
      write_report "$1" done 'Agent restarted'
    elif [ "$2" = reboot ] && [ -s "$step.begun" ] && [ "$(cat "$step.begun")" != "$(boot_id)" ]; then
      write_report "$1" done 'Node rebooted'
    else
      write_report "$1" error 'Interrupted: it may have run in part'
    fi
    return
  fi
  case $2 in
    '' | .* | *[!A-Za-z0-9_.-]*) program= ;;
    *) program=$actions/$2 ;;
  esac
  if [ -z "$program" ] || [ ! -x "$program" ]; then
    write_report "$1" error "Unknown action type: $2"
    return
  fi
  boot_id >"$step.begun"
  sync
  outcome=done
  jq -c ".actions[$index].data" "$fetch/answer" | "$program" >"$step.out" 2>&1 || outcome=error
  write_report "$1" "$outcome" "$(head -c 32768 "$step.out")"
}

write_report() {
  jq -n --arg id "$1" --arg status "$2" --arg result "$3" \
    '{action_id: $id, status: $status, result: $result}' >"$step.report.new"
  keep "$step.report.new" "$step.report"
}

# True when nothing more is to be said: it was taken, or saying it again would change nothing.
report() {
  status=$(call /dev/null --header 'Content-Type: application/json' --data-binary "@$step.report" \
    "$url/api/actions/report")
  case $status in
    200) log "$1 reported: $(jq -r '"\(.status) \(.result | tostring | .[:80] | @json)"' "$step.report")" ;;
    400 | 404 | 409 | 413) log "$1 not taken (status $status)" ;;
    *)
      log "$1 not reported yet (status $status)"
      return 1
      ;;
  esac
}

cycle() {
  [ -s "$fetch/answer" ] || fetch_actions || return 0
  count=$(jq '.actions | length' "$fetch/answer")
  index=0
  while [ "$index" -lt "$count" ]; do
    step=$fetch/$index
    id=$(jq -r ".actions[$index].action_id" "$fetch/answer")
    type=$(jq -r ".actions[$index].type" "$fetch/answer")
    leave=0
    [ -e "$step.begun" ] || [ -s "$step.report" ] || ask_leave "$id" || leave=$?
    [ "$leave" != 2 ] || return 0 # the rest comes when the controller can be reached again
    if [ "$leave" = 0 ]; then
      [ -s "$step.report" ] || run_action "$id" "$type"
      report "$id" || return 0
    fi
    index=$((index + 1))
  done
  # Only now another key: it says that this answer has arrived.
  mv "$fetch" "$fetch.done"
  rm -rf "$fetch.done"
}

rm -rf "$fetch.done"
while :; do
  cycle
  [ "${1:-}" = --once ] && exit 0
  sleep "$seconds"
done
