# Completion of yoke(1) for bash.
_yoke() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} words=""
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="info doctor bench run trace explain cache top --help --version"
    else
        case $command in
        run) # after the program's name, its own arguments
            local at=2
            while [ "$at" -lt "$COMP_CWORD" ]; do
                case ${COMP_WORDS[at]} in
                --) break ;;
                --workers | --pin | --isa | --devices | --trace | --page) at=$((at + 2)) ;;
                -*) at=$((at + 1)) ;;
                *) break ;;
                esac
            done
            if [ "$at" -lt "$COMP_CWORD" ]; then
                compopt -o default 2>/dev/null
                return
            fi ;;
        esac
        case $before in
        --pin) words="compact scatter numa none" ;;
        --isa) words="baseline avx2 avx512 neon" ;;
        --devices) words="all cpu gpu accelerator opencl:0" ;;
        -o | --trace | --page | --machine | --root)
            compopt -o default 2>/dev/null
            return ;;
        *)
            case $command in
            info) words="--json --svg -o --no-devices --machine --help" ;;
            doctor) words="--root --help" ;;
            bench) words="--quick --all-devices --json --help" ;;
            run) words="--workers --pin --isa --devices --trace --page --no-trace --counters --quiet --help --" ;;
            trace) words="-o --help" ;;
            explain) words="--trace --help" ;;
            cache) words="list verify clear --damaged --help" ;;
            top) words="-d -n --help" ;;
            esac ;;
        esac
        case $command in run | trace) compopt -o default 2>/dev/null ;; esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _yoke yoke
