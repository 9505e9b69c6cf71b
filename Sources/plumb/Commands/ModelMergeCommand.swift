import ArgumentParser
import Foundation
import PlumbModels
import PlumbTokenizers

/// Makes a whole model of a LoRA adapter and its base.
struct ModelMergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Write a LoRA adapter and its base as one model.",
    discussion: """
      Every changed weight becomes W + (alpha / rank) B A, stored in float32; the tokenizer is that \
      of the adapter's folder, or of the base. The adapter may come from a recipe's stage or from \
      peft.

        plumb model merge runs/tuned/stages/dpo --output merged
        plumb model merge ADAPTER --base examples/models/plumb-5m --output merged
      """)

  @Argument(
    help: ArgumentHelp("The adapter: a folder with adapter_config.json.", valueName: "adapter"),
    completion: .directory)
  var adapter: String

  @Option(
    help: ArgumentHelp("Where the model goes: a new or empty folder.", valueName: "dir"),
    completion: .directory)
  var output: String

  @OptionGroup var base: AdapterOptions

  func run() throws {
    let folder = try base.open(adapter)
    try requireEmpty(output)
    var model = try folder.model()
    try requireNumbers(model, path: adapter)
    model.merge()
    try write(model, texts: TextEncoder(adapter: folder), to: output)
  }
}

/// Takes a LoRA adapter out of a model that it was merged into.
struct ModelUnmergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unmerge",
    abstract: "Take a LoRA adapter out of a model that it was merged into.",
    discussion: """
      Every changed weight becomes W - (alpha / rank) B A: the base again, up to rounding (about \
      1e-7 of the size of a weight). Nothing tells whether the adapter was ever merged into the \
      model: that is for you to know.

        plumb model unmerge merged runs/tuned/stages/dpo --output base
      """)

  @Argument(
    help: ArgumentHelp("The merged model's folder.", valueName: "merged"), completion: .directory)
  var merged: String

  @Argument(
    help: ArgumentHelp("The adapter: a folder with adapter_config.json.", valueName: "adapter"),
    completion: .directory)
  var adapter: String

  @Option(
    help: ArgumentHelp("Where the base goes: a new or empty folder.", valueName: "dir"),
    completion: .directory)
  var output: String

  func run() throws {
    let source = try openModel(merged)
    try requireFolder(adapter, "a LoRA adapter")
    let change = try AdapterFolder(folder(adapter), base: source.url)
    try requireEmpty(output)
    var model = try CausalLM(source)
    let loaded = try change.adapter(for: model)
    try requireNumbers(model.parameters, path: merged)
    try requireNumbers(loaded.parameters, path: adapter)
    model.unmerge(loaded)
    try write(model, texts: TextEncoder(path: merged), to: output)
  }
}

/// Writes a model with the tokenizer that belongs to it.
private func write(_ model: CausalLM, texts: TextEncoder, to output: String) throws {
  try model.write(to: folder(output))
  try texts.encoder?.write(to: folder(output))
}
