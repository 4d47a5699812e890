/** What stands where there is nothing yet, and the way on. */

import Box from "@cloudscape-design/components/box";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { ReactNode } from "react";

export function Empty({ title, hint, action }: { title: string; hint?: ReactNode; action?: ReactNode }) {
  return (
    <Box textAlign="center" color="inherit" margin={{ vertical: "s" }}>
      <SpaceBetween size="s">
        <div>
          <strong>{title}</strong>
          {hint !== undefined && (
            <Box variant="p" color="inherit">
              {hint}
            </Box>
          )}
        </div>
        {action}
      </SpaceBetween>
    </Box>
  );
}
