import ArgumentParser
import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbRecipes
import PlumbTokenizers

/// Turns a GGUF file into a model folder.
struct ModelImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Turn a GGUF file into a model folder in Hugging Face's layout.",
    discussion: """
      Reads GGUF files of versions 2 and 3, of the architectures llama, qwen2 and qwen3, with \
      tensors of the types F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K, and \
      with a byte-level BPE tokenizer (gpt-2, qwen2, smollm, starcoder, llama-bpe). What is not \
      supported is refused by its name; nothing is written then.

      Quantised weights become plain numbers. float32 keeps them exactly as the file means them; \
      bfloat16 and float16 take half the space and round.

        plumb model import SmolLM2-135M-Instruct.Q4_1.gguf --output models/smollm2
        plumb model import model.gguf --output models/small --type bfloat16 --overwrite
      """)

  @Argument(
    help: ArgumentHelp("The GGUF file.", valueName: "file"),
    completion: .file(extensions: ["gguf"]))
  var file: String

  @Option(
    help: ArgumentHelp("The folder to make; it must be new or empty.", valueName: "dir"),
    completion: .directory)
  var output: String

  @Option(help: "How the numbers are stored.")
  var type = NumberType.float32

  @Flag(help: "Replace the folder, if it holds nothing but a model.")
  var overwrite = false

  /// The element types that a model folder may have.
  enum NumberType: String, CaseIterable, ExpressibleByArgument {
    case float32, bfloat16, float16

    var elementType: ElementType {
      switch self {
      case .float32: .float32
      case .bfloat16: .bfloat16
      case .float16: .float16
      }
    }
  }

  func validate() throws {
    if output.isEmpty { throw ValidationError("--output: expected a folder, found ''") }
  }

  func run() throws {
    let target = URL(filePath: output, directoryHint: .isDirectory)
    try GGUFImport.requireRoom(at: target, overwriting: overwrite)
    let source = try GGUFImport(contentsOf: URL(filePath: file))
    Interruption.install()
    var progress = ImportProgress(total: source.model.parameterCount)
    do {
      try source.write(to: target, as: type.elementType, overwriting: overwrite) { done in
        progress.show(done)
        guard !Interruption.isRequested else {
          throw CommandFailure(
            "interrupted; \(output) was not written", exitCode: Interruption.exitCode)
        }
      }
    } catch {
      progress.finish()
      throw error
    }
    progress.finish()
    try StandardOutput().write(summary(of: source))
  }

  private func summary(of source: GGUFImport) throws -> String {
    let model = source.model
    let types = Dictionary(grouping: model.file.tensors, by: \.type.name).mapValues(\.count)
    let list = types.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      .map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    let tokenizer = source.encoder.tokenizer
    var lines = [
      "\(file) → \(output)",
      "  model      \(model.configuration.family.causalArchitecture), "
        + "\(NumberText.grouped(model.parameterCount)) parameters",
      "  tensors    \(model.file.tensors.count): \(list); stored as \(type.rawValue)",
      "  tokenizer  \(NumberText.grouped(tokenizer.vocabularySize)) tokens, "
        + "pre-tokenizer \(source.preTokenizerName)",
      "  template   \(source.encoder.template.rawValue)",
    ]
    lines += source.notes.map { "  note       \($0)" }
    lines.append("ask it:  echo '{\"prompt\": \"Hello\"}' | plumb generate --model \(output)")
    return lines.map { $0 + "\n" }.joined()
  }
}
