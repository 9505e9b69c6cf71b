import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// What users get wrong: one message that says what and where, the right exit code, no output.
@Suite struct ErrorTests {
  /// A misuse, and the words that its message must have.
  struct ErrorCase: Sendable, CustomTestStringConvertible {
    let id: String
    let arguments: [String]
    var input = ""
    var status: Int32 = 1
    let words: [String]
    var testDescription: String { id }
  }

  static let qwen = Fixtures.url("golden/qwen2").path
  static let worldPM = Fixtures.url("golden/worldpm").path
  static let tokenizer = Fixtures.url("golden/tokenizers/qwen2_style.json").path

  static func logprobs(_ id: String, _ input: String, _ words: [String]) -> ErrorCase {
    ErrorCase(id: id, arguments: ["logprobs", "--model", qwen], input: input, words: words)
  }

  static let rowCases = [
    logprobs("no rows", "", ["standard input", "there is no row"]),
    logprobs("blank lines only", "\n \n", ["there is no row"]),
    logprobs("not JSON", "\n\n{\"tokens\": [1,\n", ["line 3", "invalid JSON"]),
    logprobs("not an object", "[1, 2]\n", ["line 1", "a JSON object", "a list"]),
    logprobs("unknown keys", "{\"token\": [1]}\n", ["line 1", "\"tokens\"", "found \"token\""]),
    logprobs("no keys", "{}\n", ["line 1", "no keys"]),
    logprobs("text for ids", "{\"tokens\": \"1 2\"}\n", ["line 1", "a list of token ids"]),
    logprobs("no ids", "{\"tokens\": []}\n", ["at least one token id", "an empty list"]),
    logprobs("id too large", "{\"tokens\": [1, 97]}\n", ["tokens[1]", "from 0 to 96", "found 97"]),
    logprobs("negative id", "{\"tokens\": [-1]}\n", ["tokens[0]", "found -1"]),
    logprobs("fractional id", "{\"tokens\": [1.5]}\n", ["from 0 to 96", "found 1.5"]),
    logprobs("huge id", "{\"tokens\": [1e400, 1]}\n", ["line 1"]),
    logprobs(
      "id beyond 64 bits", "{\"tokens\": [99999999999999999999]}\n", ["from 0 to 96", "line 1"]),
    logprobs("null id", "{\"tokens\": [null]}\n", ["found null"]),
    logprobs("nested too deeply", String(repeating: "[", count: 100_000) + "\n", ["line 1"]),
    logprobs(
      "longer than the context", row("tokens", [Int](repeating: 1, count: 129)) + "\n",
      ["line 1", "at most 128 tokens", "found 129"]),
    logprobs(
      "text without tokenizer", "{\"prompt\": \"a\", \"response\": \"b\"}\n",
      ["line 1", "no tokenizer", "qwen2"]),
    ErrorCase(
      id: "generate: unknown keys", arguments: ["generate", "--model", TestModels.policy],
      input: "{\"promt\": \"a\"}\n", words: ["line 1", "\"prompt\"", "found \"promt\""]),
    ErrorCase(
      id: "generate: empty prompt", arguments: ["generate", "--model", TestModels.policy],
      input: "{\"prompt\": \"\"}\n", words: ["line 1", "an empty string"]),
    ErrorCase(
      id: "generate: no room", arguments: ["generate", "--model", TestModels.policy],
      input: row("tokens", [Int](repeating: 5, count: 96)) + "\n",
      words: ["line 1", "no room", "at most 95 tokens", "found 96"]),
    ErrorCase(
      id: "generate: message without role", arguments: ["generate", "--model", TestModels.policy],
      input: "{\"prompt\": [{\"content\": \"a\"}]}\n", words: ["prompt[0]", "\"role\""]),
    ErrorCase(
      id: "score: half a pair", arguments: ["score", "--model", TestModels.reward],
      input: "{\"prompt\": \"a\", \"chosen\": \"b\"}\n", words: ["line 1", "\"rejected\""]),
    ErrorCase(
      id: "score: no prompt", arguments: ["score", "--model", TestModels.reward],
      input: "{\"chosen\": \"a\", \"rejected\": \"b\"}\n",
      words: ["line 1", "\"chosen\"", "a \"prompt\" in the row", "found an answer alone"]),
    ErrorCase(
      id: "score: a gate without prompt", arguments: ["score", "--model", TestModels.gated],
      input: "{\"tokens\": [5]}\n", words: ["line 1", "prompt", "bare tokens"]),
    ErrorCase(
      id: "tokenize: text is a number", arguments: ["tokenize", "--tokenizer", tokenizer],
      input: "{\"text\": 5}\n", words: ["line 1", "a string", "found 5"]),
    ErrorCase(
      id: "tokenize: id out of range",
      arguments: ["tokenize", "--decode", "--tokenizer", tokenizer],
      input: "{\"ids\": [1200]}\n", words: ["ids[0]", "from 0 to 1199", "found 1200"]),
  ]

  static let fileCases = [
    ErrorCase(
      id: "missing input",
      arguments: ["logprobs", "--model", qwen, "--input", "no-such.jsonl"],
      words: ["no-such.jsonl", "No such file"]),
    ErrorCase(
      id: "input is a folder", arguments: ["logprobs", "--model", qwen, "--input", "Tests"],
      words: ["Tests", "a directory"]),
    ErrorCase(
      id: "missing model", arguments: ["generate", "--model", "no-such-model"],
      words: ["no-such-model", "a model folder", "nothing"]),
    ErrorCase(
      id: "model is a file", arguments: ["generate", "--model", "Package.swift"],
      words: ["Package.swift", "a model folder", "a file"]),
    ErrorCase(
      id: "folder without model", arguments: ["model", "info", "Tests"],
      words: ["config.json", "No such file"]),
    ErrorCase(
      id: "missing tokenizer", arguments: ["tokenize", "--tokenizer", "no-such.json"],
      words: ["no-such.json"]),
    ErrorCase(
      id: "a reward model cannot speak", arguments: ["generate", "--model", worldPM],
      words: ["a reward model", "Qwen2ForRewardModel", "plumb score"]),
    ErrorCase(
      id: "a general preference model has no log-probs",
      arguments: ["logprobs", "--model", TestModels.generalPreference],
      words: ["a general preference model", "plumb score"]),
    ErrorCase(
      id: "a language model cannot judge", arguments: ["score", "--model", qwen],
      words: ["a language model", "Qwen2ForCausalLM", "plumb generate"]),
    ErrorCase(
      id: "a language model has no accuracy",
      arguments: ["evaluate", "--model", qwen, "--data", "x.jsonl"],
      words: ["a language model", "plumb logprobs"]),
    ErrorCase(
      id: "missing data",
      arguments: ["evaluate", "--model", TestModels.reward, "--data", "no-such.jsonl"],
      words: ["no-such.jsonl", "No such file"]),
    ErrorCase(
      id: "data without rows",
      arguments: ["evaluate", "--model", TestModels.reward, "--data", "-"],
      words: ["no usable row", "no rows"]),
    ErrorCase(
      id: "data of another kind", arguments: ["data", "inspect", "Tests/Fixtures/golden/ppo.json"],
      words: ["ppo.json"]),
    ErrorCase(
      id: "missing recipe", arguments: ["run", "no-such.yaml"],
      words: ["no-such.yaml", "cannot read the recipe"]),
  ]

  static let usageCases = [
    ErrorCase(id: "unknown command", arguments: ["trian"], status: 64, words: ["trian"]),
    ErrorCase(
      id: "unknown option", arguments: ["score", "--model", qwen, "--threds", "2"], status: 64,
      words: ["threds"]),
    ErrorCase(id: "no model", arguments: ["score"], status: 64, words: ["--model", "Usage"]),
    ErrorCase(
      id: "temperature below 0",
      arguments: ["generate", "--model", qwen, "--temperature", "-1"], status: 64,
      words: ["temperature"]),
    ErrorCase(
      id: "temperature is no number",
      arguments: ["generate", "--model", qwen, "--temperature", "nan"], status: 64,
      words: ["temperature"]),
    ErrorCase(
      id: "no new tokens", arguments: ["generate", "--model", qwen, "--max-new-tokens", "0"],
      status: 64, words: ["max_new_tokens", "1 or more"]),
    ErrorCase(
      id: "top-p above 1", arguments: ["generate", "--model", qwen, "--top-p", "1.5"], status: 64,
      words: ["top_p"]),
    ErrorCase(
      id: "seed is a word", arguments: ["generate", "--model", qwen, "--seed", "x"], status: 64,
      words: ["seed"]),
    ErrorCase(
      id: "no threads", arguments: ["logprobs", "--model", qwen, "--threads", "0"], status: 64,
      words: ["--threads", "found 0"]),
    ErrorCase(
      id: "a setting without value", arguments: ["run", "x.yaml", "--set", "seed"], status: 64,
      words: ["--set", "path=value", "seed"]),
    ErrorCase(
      id: "resume and restart", arguments: ["run", "x.yaml", "--resume", "--restart"], status: 64,
      words: ["--resume", "--restart"]),
  ]

  @Test(arguments: rowCases + fileCases + usageCases)
  func isRefused(_ error: ErrorCase) throws {
    let result = try Program.run(error.arguments, input: error.input)
    #expect(result.status == error.status, "\(result.errors)")
    #expect(result.errors.hasPrefix("plumb: "), "\(result.errors)")
    for word in error.words { #expect(result.errors.contains(word), "\(result.errors)") }
    #expect(result.output.isEmpty)
  }

  @Test func rowsBeforeTheFaultOfAStreamAreAnswered() throws {
    let result = try Program.run(
      ["logprobs", "--model", Self.qwen], input: "{\"tokens\": [1, 2]}\n{\"tokens\": [-1]}\n")
    #expect(result.status == 1)
    #expect(result.output.split(separator: "\n").count == 1)
    #expect(result.errors.contains("line 2"))
  }

  @Test func aFileIsCheckedBeforeAnythingIsComputed() throws {
    try withTemporaryDirectory { folder in
      let file = folder.appending(path: "rows.jsonl")
      try "{\"tokens\": [1, 2]}\n{\"tokens\": [-1]}\n".write(
        to: file, atomically: false, encoding: .utf8)
      let result = try Program.run(["logprobs", "--model", Self.qwen, "--input", file.path])
      #expect(result.status == 1)
      #expect(result.output.isEmpty)
      #expect(result.errors.contains("rows.jsonl: line 2"))
    }
  }

  @Test func aFullDiskIsReported() throws {
    let result = try Program.run(
      ["tokenize", "--tokenizer", Self.tokenizer], input: "{\"text\": \"a\"}\n",
      output: URL(filePath: "/dev/full"))
    #expect(result.status == 1)
    #expect(result.errors.contains("standard output: cannot write: No space left on device"))
  }
}
