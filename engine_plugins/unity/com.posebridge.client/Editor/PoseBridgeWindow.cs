// SPDX-License-Identifier: Apache-2.0

using UnityEditor;
using UnityEngine;
using UnityEngine.SceneManagement;

namespace PoseBridge.Editor
{
    /// <summary>Window > PoseBridge: versions, the state of the scene's connection, and how to start a server.</summary>
    internal sealed class PoseBridgeWindow : EditorWindow
    {
        private const string InstallCommand = "pip install pose-bridge";
        private const string ServeCommand = "pose-bridge serve --zmq tcp://127.0.0.1:50552";

        private string _libraryVersion = "";
        private string _libraryProblem = "";
        private Vector2 _scroll;

        [MenuItem("Window/PoseBridge")]
        private static void Open()
        {
            GetWindow<PoseBridgeWindow>("PoseBridge");
        }

        /// <summary>Text for the state of a connection, and what to do about it.</summary>
        internal static string Describe(PoseBridgeState state)
        {
            switch (state)
            {
                case PoseBridgeState.Disconnected:
                    return "Not connected.";
                case PoseBridgeState.Connecting:
                    return "Looking for the server. Is it running at this address?";
                case PoseBridgeState.Ready:
                    return "Connected.";
                case PoseBridgeState.Draining:
                    return "The server is about to stop; looking for the next one.";
                case PoseBridgeState.Refused:
                    return "The server refuses this client; the error below says why. Change it, then disable and enable the component.";
                default:
                    return state.ToString();
            }
        }

        private void OnEnable()
        {
            CheckLibrary();
        }

        // About ten times a second: the numbers are alive.
        private void OnInspectorUpdate()
        {
            Repaint();
        }

        private void OnGUI()
        {
            _scroll = EditorGUILayout.BeginScrollView(_scroll);
            DrawVersions();
            EditorGUILayout.Space();
            DrawConnection();
            EditorGUILayout.Space();
            DrawServerHelp();
            EditorGUILayout.EndScrollView();
        }

        private void CheckLibrary()
        {
            _libraryVersion = "";
            _libraryProblem = "";
            try
            {
                _libraryVersion = PoseBridgeVersion.LoadedLibrary;
                PoseBridgeVersion.Check();
            }
            catch (PoseBridgeException error)
            {
                _libraryProblem = error.Message;
            }
        }

        private void DrawVersions()
        {
            EditorGUILayout.LabelField("Versions", EditorStyles.boldLabel);
            EditorGUILayout.LabelField("Package", PoseBridgeVersion.Package);
            EditorGUILayout.LabelField("Native library", _libraryVersion.Length == 0 ? "not loaded" : _libraryVersion);
            if (_libraryProblem.Length > 0)
            {
                EditorGUILayout.HelpBox(_libraryProblem, MessageType.Error);
            }
            if (GUILayout.Button("Check again"))
            {
                CheckLibrary();
            }
        }

        private static void DrawConnection()
        {
            EditorGUILayout.LabelField("Connection", EditorStyles.boldLabel);
            PoseBridgeConnection connection = EditorApplication.isPlaying
                ? PoseBridgeConnection.In(SceneManager.GetActiveScene())
                : null;
            if (connection == null || connection.Client == null)
            {
                EditorGUILayout.HelpBox(
                    "No connection is running. Add a PoseBridge Connection to the scene and press Play.", MessageType.Info);
                return;
            }
            PoseBridgeClient client = connection.Client;
            EditorGUILayout.LabelField("Address", connection.Endpoint);
            EditorGUILayout.LabelField("State", Describe(client.State));
            PoseBridgeSession session = client.Session;
            if (session != null)
            {
                EditorGUILayout.LabelField("Server", session.ServerVersion + ", protocol " + session.ProtocolVersion);
                EditorGUILayout.LabelField(
                    "Forecasts", session.Futures + " futures, " + session.HorizonMs + " ms ahead, at " + session.ForecastRateHz + " Hz");
            }
            PoseBridgeStats stats = client.Stats;
            EditorGUILayout.LabelField("Frames sent / dropped", stats.FramesSent + " / " + stats.FramesDropped);
            EditorGUILayout.LabelField("Forecasts received", stats.Forecasts.ToString());
            EditorGUILayout.LabelField("Frame to forecast", stats.LatencyUs / 1000f + " ms");
            EditorGUILayout.LabelField("Round trip", stats.IsClockKnown ? stats.RoundTripUs / 1000f + " ms" : "not known yet");
            PoseBridgeError error = client.LastError;
            if (error != null)
            {
                EditorGUILayout.HelpBox("Last error. " + error, MessageType.Warning);
            }
        }

        private static void DrawServerHelp()
        {
            EditorGUILayout.LabelField("Start a server on this computer", EditorStyles.boldLabel);
            EditorGUILayout.HelpBox("In a terminal, with Python 3.11 or newer. Stop it with Ctrl-C.", MessageType.None);
            DrawCommand(InstallCommand);
            DrawCommand(ServeCommand);
        }

        private static void DrawCommand(string command)
        {
            EditorGUILayout.BeginHorizontal();
            EditorGUILayout.SelectableLabel(command, GUILayout.Height(EditorGUIUtility.singleLineHeight));
            if (GUILayout.Button("Copy", GUILayout.Width(50)))
            {
                EditorGUIUtility.systemCopyBuffer = command;
            }
            EditorGUILayout.EndHorizontal();
        }
    }
}
