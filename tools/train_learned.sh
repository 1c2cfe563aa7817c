#!/bin/sh
# Train the codecs that are shipped and those of the study beside them, all at once on one device.
#
#     tools/train_learned.sh DATA OUT SECONDS DEVICE [-x TABLE.KEY=VALUE ...]
#
# DATA holds pictures.tar (tools/pack_pictures.py) and lpips_squeeze_state.pt. The two priors are trained for
# mean squared error for 45 % of the time; each variant goes on from there, with a loss of its own, to the end.
# OUT gets models.tar.xz: of each variant its weights, log and configuration, renewed every 90 seconds. What
# was interrupted goes on when the command is given again with the same folder in the variable RUNS.
set -eu
data=$1 out=$2 seconds=$3 device=$4
shift 4
runs=${RUNS:-$(mktemp -d)}
begun=$(date +%s)
export OMP_NUM_THREADS=1 WYNER_LPIPS="$data/lpips_squeeze_state.pt"
mkdir -p "$out" "$runs"

minutes() { # SECONDS
    printf '%d.%02d' $(($1 / 60)) $(($1 % 60 * 100 / 60))
}

train() { # NAME PRESET SECONDS ARGUMENT...: again from the last checkpoint where it fails
    name=$1 preset=$2 limit=$(minutes "$3")
    shift 3
    for _ in 1 2 3 4; do
        python3 -m wyner train learned --config "learned-$preset" --data "$data/pictures.tar" --device "$device" \
            -o "$runs/$name" --minutes "$limit" "$@" 2>>"$runs/$name.err" && return
    done
    tail -n 3 "$runs/$name.err" >&2
}

variant() { # PRESET NAME ARGUMENT...
    preset=$1 name=$2
    shift 2
    if [ -f "$runs/base-$preset/checkpoint.pt" ]; then
        set -- --start "$runs/base-$preset" -x loop.warmup=50 "$@"
    fi
    train "$preset-$name" "$preset" "$left" -x loop.decay_from=0.2 "$@"
}

pack() {
    python3 tools/pack_runs.py "$out/models.tar.xz" "$runs"/*/ || true
}

alive() { # PID...: whether one of them runs
    for pid; do
        ! kill -0 "$pid" 2>/dev/null || return 0
    done
    return 1
}

pids=
for preset in hyperprior factorised; do
    train "base-$preset" $preset $((seconds * 45 / 100)) -x loop.decay_from=1 "$@" &
    pids="$pids $!"
done
wait $pids

left=$((seconds - ($(date +%s) - begun) - 35)) # starting and packing take the rest
pids=
variant hyperprior mse "$@" &
pids="$pids $!"
variant hyperprior ms-ssim -x loss.beta=0.02 "$@" &
pids="$pids $!"
variant hyperprior lpips-small -x loss.gamma=0.001 "$@" &
pids="$pids $!"
variant hyperprior lpips-large -x loss.gamma=0.008 "$@" &
pids="$pids $!"
variant factorised mse "$@" &
pids="$pids $!"
variant factorised lpips-small -x loss.gamma=0.001 "$@" &
pids="$pids $!"
ticks=0
while alive $pids; do
    sleep 1
    ticks=$((ticks + 1))
    [ $((ticks % 90)) != 0 ] || pack
done
pack
for log in "$runs"/*/log.jsonl; do
    echo "$log $(tail -n 1 "$log")"
done
