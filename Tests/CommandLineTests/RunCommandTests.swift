import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// `plumb run` on recipes of seconds.
@Suite struct RunCommandTests {
  private static let recipe = """
    name: tiny
    threads: 1
    stages:
      tokenizer: {files: [texts.jsonl], vocabulary_size: 300, template: chatml}
      pretrain:
        tokenizer: tokenizer
        files: [texts.jsonl]
        hidden_size: 8
        intermediate_size: 8
        layers: 1
        heads: 2
        key_value_heads: 1
        context_length: 32
        sequence_length: 16
        batch_tokens: 32
        steps: 20
        samples: 0
    """

  /// A folder with the recipe and its data.
  private func withRecipe(_ body: (URL) throws -> Void) throws {
    try withTemporaryDirectory { folder in
      try Self.recipe.write(
        to: folder.appending(path: "tiny.yaml"), atomically: false, encoding: .utf8)
      let texts = (0..<60).map {
        "{\"text\": \"The number \($0) comes before \($0 + 1), always.\"}"
      }
      try lines(texts).write(
        to: folder.appending(path: "texts.jsonl"), atomically: false, encoding: .utf8)
      try body(folder)
    }
  }

  private func exists(_ path: String, in folder: URL) -> Bool {
    FileManager.default.fileExists(atPath: folder.appending(path: path).path)
  }

  @Test func aRecipeRunsAndIsSkippedTheSecondTime() throws {
    try withRecipe { folder in
      let first = try Program.run(["run", "tiny.yaml"], in: folder)
      #expect(first.status == 0, "\(first.errors)")
      #expect(first.errors.contains("step 20/20"))
      #expect(first.output.contains("runs/tiny"))
      for file in ["recipe.yaml", "environment.json", "metrics.jsonl", "summary.json"] {
        #expect(exists("runs/tiny/\(file)", in: folder), "\(file)")
      }
      let model = folder.appending(path: "runs/tiny/stages/pretrain").path
      let generated = try Program.run(
        ["generate", "--model", model, "--max-new-tokens", "4"], input: #"{"text": "The"}"#
      ).rows()
      #expect(generated.count == 1)
      let info = try Program.run(["model", "info", model, "--json"]).rows()
      #expect(info.first?["architecture"]?.string == "Qwen2ForCausalLM")
      #expect(try #require(info.first?["tokenizer"]?["vocabulary_size"]?.integer) > 256)

      let second = try Program.run(["run", "tiny.yaml"], in: folder)
      #expect(second.status == 0, "\(second.errors)")
      #expect(second.errors.contains("pretrain: unchanged, skipped"))
      let third = try Program.run(["run", "tiny.yaml", "--dry-run"], in: folder)
      #expect(third.output.contains("0 of 2 stages to run"))
    }
  }

  @Test func aDryRunPrintsThePlanAndWritesNothing() throws {
    try withRecipe { folder in
      let result = try Program.run(
        ["run", "tiny.yaml", "--dry-run", "--set", "pretrain.steps=7", "--output", "elsewhere"],
        in: folder)
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("2 of 2 stages to run"))
      #expect(result.output.contains("pretrain"))
      #expect(!exists("runs", in: folder) && !exists("elsewhere", in: folder))
    }
  }

  @Test(arguments: [
    ("pretrain.stepz=3", "'steps'"), ("pretrain.steps=many", "many"),
    ("pretrian.steps=3", "pretrain"),
    ("pretrain.steps=0", "found 0"), ("threads=0", "threads"),
    ("tokenizer.files=[no.jsonl]", "no.jsonl"),
  ])
  func wrongSettingsAreRefusedBeforeAnythingRuns(setting: String, word: String) throws {
    try withRecipe { folder in
      let result = try Program.run(["run", "tiny.yaml", "--set", setting], in: folder)
      #expect(result.status == 1, "\(result.errors)")
      #expect(result.errors.hasPrefix("plumb: "))
      #expect(result.errors.contains(word), "\(result.errors)")
      #expect(!exists("runs/tiny/stages/pretrain", in: folder))
    }
  }

  @Test func anInterruptedRunSaysHowToContinue() throws {
    try withRecipe { folder in
      let log = folder.appending(path: "log")
      try Data().write(to: log)
      let process = Process()
      process.executableURL = Program.url
      process.arguments = ["run", "tiny.yaml", "--set", "pretrain.steps=1000000"]
      process.currentDirectoryURL = folder
      process.standardOutput = FileHandle.nullDevice
      process.standardError = try FileHandle(forWritingTo: log)
      try process.run()
      let deadline = ContinuousClock.now + .seconds(60)
      while ContinuousClock.now < deadline, process.isRunning,
        try !String(contentsOf: log, encoding: .utf8).contains("] pretrain")
      {
        usleep(20_000)
      }
      usleep(300_000)
      process.interrupt()
      while ContinuousClock.now < deadline, process.isRunning { usleep(20_000) }
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
      let errors = try String(contentsOf: log, encoding: .utf8)
      #expect(process.terminationReason == .exit)
      #expect(process.terminationStatus == 130, "\(errors)")
      #expect(errors.contains("run tiny.yaml --set pretrain.steps=1000000 --resume"), "\(errors)")
    }
  }
}
