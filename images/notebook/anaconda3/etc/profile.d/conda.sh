# `conda activate` and `conda deactivate`, for shells that source this: bash, as conda's own.
# The environments are Python's, under the names that notebook instances of AWS have for them.

conda() {
  case "${1:-}" in
    activate) _conda_activate "${2:-base}" ;;
    deactivate) _conda_deactivate ;;
    *) command conda "$@" ;;
  esac
}

_conda_activate() {
  local prefix
  prefix=$(/home/ec2-user/anaconda3/bin/conda prefix-of "$1") || return 1
  _conda_deactivate
  export CONDA_DEFAULT_ENV=$1 CONDA_PREFIX=$prefix CONDA_PROMPT_MODIFIER="($1) "
  export PATH="$prefix/bin:$PATH"
  if [ -n "${PS1:-}" ]; then PS1="$CONDA_PROMPT_MODIFIER$PS1"; fi
  hash -r
}

_conda_deactivate() {
  if [ -z "${CONDA_PREFIX:-}" ]; then return 0; fi
  PATH=:$PATH:
  PATH=${PATH/":$CONDA_PREFIX/bin:"/:}
  PATH=${PATH#:}
  PATH=${PATH%:}
  if [ -n "${PS1:-}" ]; then PS1=${PS1#"$CONDA_PROMPT_MODIFIER"}; fi
  unset CONDA_DEFAULT_ENV CONDA_PREFIX CONDA_PROMPT_MODIFIER
  hash -r
}
