// SPDX-License-Identifier: Apache-2.0

using UnityEngine;

namespace PoseBridge.Samples
{
    /// <summary>Writes the alerts of the avatar on this object to the console.</summary>
    public sealed class AlertPrinter : MonoBehaviour
    {
        private PoseBridgeAvatar _avatar;

        private void OnEnable()
        {
            _avatar = GetComponent<PoseBridgeAvatar>();
            _avatar.AlertChanged += Print;
        }

        private void OnDisable()
        {
            _avatar.AlertChanged -= Print;
        }

        private void Print(PoseBridgeAvatar avatar, PoseAlert alert)
        {
            string where = alert.JointCount > 0 ? ", mostly " + alert.Joint(0).Name : "";
            Debug.LogWarning(alert + where, avatar);
        }
    }
}
