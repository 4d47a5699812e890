/** Text as it is, that can be copied: logs, JSON, commands. */

import CopyToClipboard from "@cloudscape-design/components/copy-to-clipboard";
import { useTranslation } from "react-i18next";

export function Code({ children, maxHeightPx = 400 }: { children: string; maxHeightPx?: number }) {
  const { t } = useTranslation();
  return (
    <div className="code">
      <div className="code-copy">
        <CopyToClipboard variant="icon" copyButtonAriaLabel={t("copy")} copySuccessText={t("copied")} copyErrorText={t("copyFailed")} textToCopy={children} />
      </div>
      <pre tabIndex={0} style={{ maxHeight: maxHeightPx }}>
        {children}
      </pre>
    </div>
  );
}
