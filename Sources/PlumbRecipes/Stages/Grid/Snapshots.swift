import Foundation

/// Models kept along a training: `snapshots/step-000040` in the stage's folder, each a model folder.
struct Snapshots<Model> {
  /// The steps after which the model is kept.
  let steps: Set<Int>
  let folder: KeptFolder
  /// Writes the model's folder.
  let write: (Model, URL) throws -> Void

  /// The last step and `count - 1` before it, each half of the next: even on a scale of doublings.
  static func halvings(of steps: Int, count: Int) -> Set<Int> {
    Set((0..<min(count, 40)).map { steps >> $0 }.filter { $0 > 0 })
  }

  func keep(_ model: Model, after step: Int) throws {
    guard steps.contains(step) else { return }
    let digits = "\(step)"
    let name = "step-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    try write(model, folder.url.appending(path: name))
  }
}

/// The folder of the snapshots in a stage.
let snapshotsName = "snapshots"
