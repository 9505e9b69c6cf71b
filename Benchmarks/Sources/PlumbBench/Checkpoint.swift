import Foundation
import PlumbModels

/// The random checkpoints that both sides load.
struct Checkpoint {
  let folder: URL

  /// The folder of a model, written first where it does not exist.
  ///
  /// A model is a function of its name and shape: the seed is fixed.
  init(_ name: String, specification: Specification, folder: String) throws {
    self.folder = URL(filePath: folder).appending(path: ".models/\(name)")
    let done = self.folder.appending(path: "config.json")
    if FileManager.default.fileExists(atPath: done.path) { return }
    let configuration = try specification.model(name).configuration()
    try CausalLM(configuration, seed: 20_250_101).write(to: self.folder)
  }
}
