import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// Model folders that are damaged, or of a kind that Plumb does not implement.
@Suite struct DamagedModelTests {
  /// A change to a good folder, and the words of the message about it.
  struct Damage: Sendable, CustomTestStringConvertible {
    let id: String
    let words: [String]
    let apply: @Sendable (URL) throws -> Void
    var testDescription: String { id }
  }

  static let damages = [
    Damage(id: "no weights", words: ["model.safetensors"]) {
      try FileManager.default.removeItem(at: $0.appending(path: "model.safetensors"))
    },
    Damage(id: "truncated weights", words: ["model.safetensors"]) { folder in
      try editWeights(folder) { $0.prefix($0.count / 2) }
    },
    Damage(id: "truncated header", words: ["model.safetensors"]) { folder in
      try editWeights(folder) { $0.prefix(20) }
    },
    Damage(id: "empty weights", words: ["model.safetensors"]) { folder in
      try editWeights(folder) { _ in Data() }
    },
    Damage(id: "a header of 2^63 bytes", words: ["model.safetensors"]) { folder in
      try editWeights(folder) { Data([UInt8](repeating: 0xff, count: 8)) + $0.dropFirst(8) }
    },
    Damage(id: "weights that are NaN", words: ["finite weights", "model.", "NaN"]) { folder in
      try editWeights(folder) { $0.dropLast(4) + Data([0, 0, 0xc0, 0x7f]) }
    },
    Damage(id: "wrong shapes", words: ["expected shape", "found"]) { folder in
      try editConfiguration(folder) {
        $0.replacing("\"vocab_size\": 97", with: "\"vocab_size\": 98")
      }
    },
    Damage(id: "configuration is not JSON", words: ["config.json", "invalid JSON at line"]) {
      try editConfiguration($0) { String($0.dropLast(10)) }
    },
    Damage(id: "unknown architecture", words: ["Mamba2ForCausalLM", "Qwen2"]) { folder in
      try editConfiguration(folder) { $0.replacing("Qwen2ForCausalLM", with: "Mamba2ForCausalLM") }
    },
    Damage(id: "rotary scaling", words: ["rope_scaling", "not supported"]) { folder in
      try editConfiguration(folder) {
        $0.replacing(
          "\"rope_scaling\": null",
          with: "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4}")
      }
    },
    Damage(id: "a size that is text", words: ["hidden_size", "a positive integer"]) { folder in
      try editConfiguration(folder) {
        $0.replacing("\"hidden_size\": 48", with: "\"hidden_size\": \"48\"")
      }
    },
  ]

  @Test(arguments: damages) func isRefused(_ damage: Damage) throws {
    try withTemporaryDirectory { folder in
      let model = folder.appending(path: "model", directoryHint: .isDirectory)
      try FileManager.default.copyItem(at: Fixtures.url("golden/qwen2"), to: model)
      try damage.apply(model)
      let result = try Program.run(
        ["logprobs", "--model", model.path], input: "{\"tokens\": [1, 2]}\n")
      #expect(result.status == 1, "\(result.errors)")
      #expect(result.errors.hasPrefix("plumb: "))
      for word in damage.words { #expect(result.errors.contains(word), "\(result.errors)") }
      #expect(result.output.isEmpty)
    }
  }

  private static func editWeights(_ folder: URL, _ edit: (Data) -> Data) throws {
    let file = folder.appending(path: "model.safetensors")
    try edit(try Data(contentsOf: file)).write(to: file)
  }

  private static func editConfiguration(_ folder: URL, _ edit: (String) -> String) throws {
    let file = folder.appending(path: "config.json")
    let before = try String(contentsOf: file, encoding: .utf8)
    let after = edit(before)
    #expect(after != before, "the edit found nothing to change")
    try after.write(to: file, atomically: false, encoding: .utf8)
  }
}
