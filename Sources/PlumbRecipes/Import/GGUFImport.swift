public import Foundation
public import PlumbCheckpoints
public import PlumbModels
public import PlumbTokenizers

/// A model in a GGUF file on its way into a Hugging Face folder.
///
/// ```swift
/// let model = try GGUFImport(contentsOf: file)
/// try model.write(to: folder)      // now CausalLM(directory: folder) loads it
/// ```
public struct GGUFImport: Sendable {
  /// The decoder and its tensors.
  public let model: GGUFModel
  /// The tokenizer and the layout of conversations.
  public let encoder: ConversationEncoder
  /// The name in `tokenizer.ggml.pre`.
  public let preTokenizerName: String
  /// Where the folder differs from what the file says, in sentences for a person.
  public let notes: [String]

  /// Opens a file and checks everything but the numbers.
  /// - Throws: `CheckpointError`, `ModelError` or `TokenizerError`, each with the file's path, for
  ///   what is damaged or not implemented.
  public init(contentsOf url: URL) throws {
    let file = try GGUFFile(contentsOf: url)
    var model = try GGUFModel(file)
    let source = GGUFTokenizer(file, vocabularySize: model.configuration.vocabularySize)
    preTokenizerName = try source.preTokenizerName()
    let conversation = try GGUFConversation(
      file, try source.tokenizer(), model.configuration)
    encoder = conversation.encoder
    var notes = conversation.notes
    // Many chat models name the end of a turn as their padding. A policy trained on from there would be refused.
    let ends = encoder.response("").last
    if let padding = model.configuration.padTokenID, padding == ends {
      let other = encoder.tokenizer.id(of: ConversationEncoder.endOfTextToken)
      model.pad(with: other == ends ? nil : other)
      notes.append(
        "the file pads with the token that ends a turn; the folder pads with "
          + (model.configuration.padTokenID.flatMap(encoder.tokenizer.token) ?? "none"))
    }
    (self.model, self.notes) = (model, notes)
  }

  /// Writes the folder: weights, configurations and tokenizer, all of it or nothing.
  /// - Parameters:
  ///   - directory: must not exist, or be empty; see `overwriting`.
  ///   - type: `float32` keeps every number, 16 bits round to nearest even.
  ///   - overwriting: whether a folder that holds nothing but a model is replaced.
  ///   - progress: told how many of the model's numbers are done; what it throws ends the import.
  public func write(
    to directory: URL, as type: ElementType = .float32, overwriting: Bool = false,
    progress: (_ done: Int) throws -> Void = { _ in }
  ) throws {
    try Self.requireRoom(at: directory, overwriting: overwriting)
    let target = directory.standardizedFileURL
    let parent = target.deletingLastPathComponent()
    let made = Self.missingAncestor(of: parent)
    do {
      try RunFiles.createFolder(parent)
      try AtomicFile.removeLeftovers(in: parent)
      try AtomicDirectory.write(to: target) { folder in
        try encoder.write(to: folder)
        try model.write(to: folder, as: type, progress: progress)
      }
    } catch {
      if let made { try? FileManager.default.removeItem(at: made) }
      throw error
    }
  }

  /// The uppermost folder on the way to `folder` that is not there; nil if none is missing.
  private static func missingAncestor(of folder: URL) -> URL? {
    var folder = folder
    var missing: URL?
    while !FileManager.default.fileExists(atPath: folder.path), folder.path.count > 1 {
      missing = folder
      folder.deleteLastPathComponent()
    }
    return missing
  }

  /// What a folder may hold and still be replaced: nobody's notes, nobody's data.
  private static let modelFiles: Set<String> = [
    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
    "tokenizer_config.json",
  ]

  /// Refuses a target that is taken; cheap, so callers may ask before they open the file.
  public static func requireRoom(at directory: URL, overwriting: Bool) throws {
    let manager = FileManager.default
    var isFolder: ObjCBool = false
    guard manager.fileExists(atPath: directory.path, isDirectory: &isFolder) else { return }
    func taken(_ expected: String, _ found: String) -> CheckpointError {
      CheckpointError(
        .unwritable, path: directory.path, "the folder is taken", expected: expected, found: found)
    }
    guard isFolder.boolValue else { throw taken("a new or empty folder", "a file") }
    let names = try manager.contentsOfDirectory(atPath: directory.path).sorted()
    guard let first = names.first else { return }
    guard overwriting else {
      throw taken("a new or empty folder, or --overwrite", "one with \(first)")
    }
    if let other = names.first(where: { !modelFiles.contains($0) }) {
      throw taken("only the files of an imported model, which --overwrite replaces", other)
    }
  }
}
