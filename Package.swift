// swift-tools-version: 6.2
import PackageDescription

/// Settings shared by every Swift target.
let swiftSettings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A library target; `Scripts/check` holds its imports against the table in Documentation/Design.md.
func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(
    name: name, dependencies: dependencies, swiftSettings: swiftSettings,
    linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))])
}

/// The test target of a library, with the shared fixtures and helpers.
func tests(_ library: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(library)Tests",
    dependencies: [.target(name: library), "PlumbTestSupport"] + dependencies,
    swiftSettings: swiftSettings)
}

/// What a program that uses Plumb as a library may import.
let libraries: [Target.Dependency] = [
  "PlumbTensors", "PlumbTokenizers", "PlumbCheckpoints", "PlumbModels", "PlumbOptimizers",
  "PlumbData",
  "PlumbPreferences", "PlumbRollouts", "PlumbObjectives", "PlumbEvaluation",
]

let package = Package(
  name: "plumb",
  products: [
    .library(
      name: "Plumb",
      targets: [
        "PlumbTensors", "PlumbTokenizers", "PlumbCheckpoints", "PlumbModels", "PlumbOptimizers",
        "PlumbData", "PlumbPreferences", "PlumbRollouts", "PlumbObjectives", "PlumbEvaluation",
        "PlumbRecipes",
      ]),
    .executable(name: "plumb", targets: ["plumb"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
  ],
  targets: [
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(
      name: "CLibXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
    .target(name: "CKernels"),
    library("PlumbTensors", ["COpenBLAS", "CKernels"]),
    library("PlumbTokenizers", ["CKernels"]),
    library("PlumbCheckpoints", ["PlumbTensors", "CZstd", "CZlib"]),
    library("PlumbModels", ["PlumbTensors", "PlumbCheckpoints"]),
    library("PlumbOptimizers", ["PlumbTensors", "PlumbCheckpoints"]),
    library("PlumbData", ["PlumbTensors", "PlumbTokenizers", "PlumbCheckpoints", "CLibXML2"]),
    library("PlumbObjectives", ["PlumbTensors"]),
    library(
      "PlumbPreferences",
      ["PlumbTensors", "PlumbTokenizers", "PlumbCheckpoints", "PlumbModels", "PlumbData"]),
    library(
      "PlumbRollouts",
      [
        "PlumbTensors", "PlumbTokenizers", "PlumbCheckpoints", "PlumbModels", "PlumbData",
        "PlumbPreferences",
      ]),
    library(
      "PlumbEvaluation",
      ["PlumbTensors", "PlumbData", "PlumbPreferences", "PlumbRollouts"]),
    library(
      "PlumbRecipes",
      [
        "PlumbTensors", "PlumbTokenizers", "PlumbCheckpoints", "PlumbModels", "PlumbOptimizers",
        "PlumbData", "PlumbPreferences", "PlumbRollouts", "PlumbObjectives", "PlumbEvaluation",
        .product(name: "Yams", package: "Yams"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .executableTarget(
      name: "plumb",
      dependencies: [
        "PlumbTensors", "PlumbTokenizers", "PlumbCheckpoints", "PlumbModels", "PlumbData",
        "PlumbPreferences", "PlumbRollouts", "PlumbEvaluation", "PlumbRecipes",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),

    .executableTarget(
      name: "TrainRewardModel", dependencies: libraries, path: "examples/TrainRewardModel",
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "CustomJudge", dependencies: libraries, path: "examples/CustomJudge",
      swiftSettings: swiftSettings),

    .target(
      name: "PlumbTestSupport", dependencies: ["PlumbTensors", "PlumbCheckpoints"],
      path: "Tests/PlumbTestSupport", swiftSettings: swiftSettings),
    tests("PlumbTensors", ["CKernels"]),
    tests("PlumbTokenizers", ["CKernels"]),
    tests("PlumbCheckpoints", ["PlumbTensors"]),
    tests("PlumbModels", ["PlumbTensors", "PlumbCheckpoints"]),
    tests("PlumbOptimizers", ["PlumbTensors", "PlumbCheckpoints"]),
    tests("PlumbData", ["PlumbTensors", "PlumbTokenizers", "PlumbCheckpoints"]),
    tests("PlumbObjectives", ["PlumbTensors", "PlumbCheckpoints"]),
    tests(
      "PlumbPreferences",
      ["PlumbTensors", "PlumbModels", "PlumbData", "PlumbCheckpoints", "PlumbTokenizers"]),
    tests(
      "PlumbRollouts",
      [
        "PlumbTensors", "PlumbModels", "PlumbCheckpoints", "PlumbTokenizers", "PlumbData",
        "PlumbPreferences",
      ]),
    tests("PlumbEvaluation", ["PlumbTensors", "PlumbPreferences", "PlumbData"]),
    tests(
      "PlumbRecipes",
      [
        "PlumbTensors", "PlumbModels", "PlumbTokenizers", "PlumbCheckpoints", "PlumbData",
        "PlumbPreferences", "PlumbRollouts", "PlumbObjectives", "PlumbOptimizers",
        "PlumbEvaluation",
      ]),
    .testTarget(
      name: "CommandLineTests",
      dependencies: [
        "plumb", "PlumbTestSupport", "PlumbTokenizers", "PlumbCheckpoints", "PlumbModels",
        "PlumbPreferences", "PlumbRollouts",
      ],
      exclude: ["Snapshots"], swiftSettings: swiftSettings),
  ]
)
